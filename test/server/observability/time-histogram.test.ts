import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { TimeHistogram } from "../../../src/server/observability/time-histogram.ts";

async function valuesOf(histogram: TimeHistogram): Promise<Record<string, number>> {
  const { values } = await histogram.get();
  return Object.fromEntries(
    values.map(({ metricName, labels, value }) => [
      labels.le === undefined ? metricName : String(labels.le),
      value,
    ]),
  );
}

it("a bucket counts the times up to its bound, that one included", async () => {
  const histogram = new TimeHistogram("x", "Of this test.", new Registry());
  for (const seconds of [0, 0.0005, 0.0006, 2.5, 3]) histogram.observe(seconds);
  expect(await valuesOf(histogram)).toMatchObject({
    "0.0005": 2,
    "0.001": 3,
    "1": 3,
    "2.5": 4,
    "+Inf": 5,
    x_count: 5,
    x_sum: expect.closeTo(5.5011),
  });
});

it("a histogram begins with zeros, and is in its registry", async () => {
  const registry = new Registry();
  const histogram = new TimeHistogram("x", "Of this test.", registry);
  expect(new Set(Object.values(await valuesOf(histogram)))).toEqual(new Set([0]));
  expect(await registry.metrics()).toContain(
    '# HELP x Of this test.\n# TYPE x histogram\nx_bucket{le="0.0005"} 0\n',
  );
});
