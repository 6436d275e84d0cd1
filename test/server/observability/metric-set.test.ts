import { expect, it } from "vitest";
import { MetricSet } from "../../../src/server/observability/metric-set.ts";

/** The lines of a set that begin with this name, help and type among them. */
async function linesOf({ registry }: MetricSet, name: string): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line.replace(/^# (?:HELP|TYPE) /, "").startsWith(name));
}

it("a counter shows the number that holds when it is scraped, however often that is", async () => {
  const metrics = new MetricSet();
  let value = 3;
  metrics.counter({ name: "things", help: "Number of things." }, () => value);
  const lines = (n: number) => [
    "# HELP presence_things_total Number of things.",
    "# TYPE presence_things_total counter",
    `presence_things_total ${n}`,
  ];
  expect(await linesOf(metrics, "presence_things")).toEqual(lines(3));
  expect(await linesOf(metrics, "presence_things")).toEqual(lines(3));
  value = 5;
  expect(await linesOf(metrics, "presence_things")).toEqual(lines(5));
});

it("counters are made of the fields of an object", async () => {
  const metrics = new MetricSet();
  const values = { one: 1, two: 2 };
  metrics.counters({ one: { name: "first", help: "a" }, two: { name: "second", help: "b" } }, values);
  values.two = 20;
  expect(await linesOf(metrics, "presence_first_total")).toContain("presence_first_total 1");
  expect(await linesOf(metrics, "presence_second_total")).toContain("presence_second_total 20");
});

it("a labelled counter has a line for each key", async () => {
  const metrics = new MetricSet();
  const values = { red: 0, blue: 0 };
  metrics.labelledCounter({ name: "colours", help: "a" }, "colour", values);
  values.blue = 7;
  expect((await linesOf(metrics, "presence_colours")).slice(2)).toEqual([
    'presence_colours_total{colour="red"} 0',
    'presence_colours_total{colour="blue"} 7',
  ]);
});

it("gauges go up and down", async () => {
  const metrics = new MetricSet();
  let value = 9;
  metrics.gauge("level", "The level.", () => value);
  metrics.labelledGauge("sizes", "The sizes.", "kind", { small: () => value, large: () => 2 * value });
  await metrics.registry.metrics();
  value = 4;
  expect((await linesOf(metrics, "presence_level")).slice(2)).toEqual(["presence_level 4"]);
  expect((await linesOf(metrics, "presence_sizes")).slice(2)).toEqual([
    'presence_sizes{kind="small"} 4',
    'presence_sizes{kind="large"} 8',
  ]);
});
