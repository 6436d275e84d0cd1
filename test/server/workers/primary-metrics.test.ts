import { expect, it } from "vitest";
import { PrimaryMetrics } from "../../../src/server/workers/primary-metrics.ts";

it("are those of the workers, and how many of them there are", async () => {
  const counts = { ready: 1, restarts: 3 };
  const metrics = new PrimaryMetrics(2, () => counts);
  const sockets = (value: number) => [
    {
      name: "presence_sockets",
      help: "Open WebSockets.",
      type: "gauge",
      aggregator: "sum",
      values: [{ labels: {}, value }],
    },
  ];
  const { text } = await metrics.render(
    new Map<number, unknown>([
      [1, sockets(4)],
      [2, sockets(1)],
      // A worker that has only just started.
      [3, null],
    ]),
  );
  expect(text).toMatch(/^presence_sockets 5$/m);
  expect(text).toMatch(/^presence_workers 2$/m);
  expect(text).toMatch(/^presence_workers_ready 1$/m);
  expect(text).toMatch(/^presence_worker_restarts_total 3$/m);
  metrics.left(2);
  expect((await metrics.render(new Map())).text).toMatch(/^presence_sockets 4$/m);
});
