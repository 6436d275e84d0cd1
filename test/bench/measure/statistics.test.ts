import { expect, it } from "vitest";
import { slopeOf } from "../../../bench/measure/statistics.ts";

it("the slope is that of the line through the points, wherever it begins", () => {
  expect(
    slopeOf([
      [1, 12],
      [2, 14],
      [4, 18],
    ]),
  ).toBeCloseTo(2, 12);
});

it("a point off the line moves the slope, but not as much as the point", () => {
  const slope = slopeOf([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 6],
  ]);
  expect(slope).toBeCloseTo(1.9, 12);
});
