import { beforeEach, expect, it, vi } from "vitest";
import { plotOptions } from "../../../src/dashboard/parts/make-plot.ts";

const onHover = vi.fn<(index: number | null) => void>();
let color: string;

beforeEach(() => {
  onHover.mockReset();
  color = "rgb(1, 2, 3)";
});

// A chart hands itself to the functions of its settings. They need only what a test passes here.
type Loose = (...args: unknown[]) => unknown;

function options(width = 300) {
  const getPropertyValue = (name: string) => `the ${name}`;
  return plotOptions(
    width,
    () => ({ color, fontFamily: "Inter", getPropertyValue }),
    () => [3, 12],
    onHover,
  );
}

it("a chart is as wide as its place, but never too narrow to read", () => {
  expect(options(300).width).toBe(300);
  expect(options(0).width).toBe(120);
});

it("the vertical axis begins at 0 and leaves room above the largest value", () => {
  const range = options().scales!.y!.range as Loose;
  expect(range({}, 90, 100)).toEqual([0, 120]);
  expect(range({}, 0, 0)).toEqual([0, 4]);
});

it("the vertical axis has round steps, in ascending order", () => {
  const steps = options().axes![1]!.incrs as number[];
  expect(steps.slice(0, 5)).toEqual([1, 2, 5, 10, 20]);
  expect(steps).toEqual(steps.toSorted((one, other) => one - other));
});

it("the time axis shows hours and minutes with two digits", () => {
  const values = options().axes![0]!.values as Loose;
  const times = [new Date(2026, 0, 1, 9, 5), new Date(2026, 0, 1, 23, 50)];
  expect(
    values(
      {},
      times.map((time) => time.getTime() / 1000),
    ),
  ).toEqual(["09:05", "23:50"]);
});

it("the time axis shows seconds too while it is short", () => {
  const values = options().axes![0]!.values as Loose;
  const times = [new Date(2026, 0, 1, 9, 5, 50), new Date(2026, 0, 1, 9, 6)];
  const seconds = times.map((time) => time.getTime() / 1000);
  expect(values({}, seconds)).toEqual(["09:05:50", "09:06:00"]);
});

it("draws a dashed line at each mark that is on the axis", () => {
  const ctx = {
    save: vi.fn(),
    restore: vi.fn(),
    setLineDash: vi.fn(),
    beginPath: vi.fn(),
    moveTo: vi.fn(),
    lineTo: vi.fn(),
    stroke: vi.fn(),
  };
  const [draw] = options().hooks!.draw as [Loose];
  draw({ ctx, bbox: { top: 5, height: 50 }, valToPos: (x: number) => x * 10.04, scales: { x: { min: 10 } } });
  expect(ctx.moveTo.mock.calls).toEqual([[120, 5]]);
  expect(ctx.lineTo.mock.calls).toEqual([[120, 55]]);
  expect(ctx.stroke).toHaveBeenCalledTimes(1);
});

it("the line has the colour of its place, which a theme may change, and the area below it is translucent", () => {
  const { stroke, fill } = options().series[1] as { stroke: Loose; fill: Loose };
  expect([stroke(), fill()]).toEqual(["rgb(1, 2, 3)", "rgba(1, 2, 3, 0.12)"]);
  color = "rgb(250, 250, 250)";
  expect([stroke(), fill()]).toEqual(["rgb(250, 250, 250)", "rgba(250, 250, 250, 0.12)"]);
});

it("reports the point under the pointer, or that there is none", () => {
  const [setCursor] = options().hooks!.setCursor as [Loose];
  setCursor({ cursor: { idx: 7 } });
  setCursor({ cursor: {} });
  expect(onHover.mock.calls).toEqual([[7], [null]]);
});
