import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { registerCustomMetric } from "../../../src/server/internals/custom-metric.ts";

it("a registry of prom-client still takes a metric that is none of its own classes", async () => {
  const registry = new Registry();
  const values = [
    { metricName: "x_bucket", labels: { le: "+Inf" }, value: 3 },
    { metricName: "x_sum", labels: {}, value: 1.5 },
    { metricName: "x_count", labels: {}, value: 3 },
  ];
  registerCustomMetric(registry, {
    name: "x",
    help: "Of this test.",
    get: async () => ({ name: "x", help: "Of this test.", type: "histogram", values, aggregator: "sum" }),
  });
  expect(await registry.metrics(), "a registry asks otherwise: see internals/custom-metric.ts").toBe(
    [
      "# HELP x Of this test.",
      "# TYPE x histogram",
      'x_bucket{le="+Inf"} 3',
      "x_sum 1.5",
      "x_count 3",
      "",
    ].join("\n"),
  );
});
