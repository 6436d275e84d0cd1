import { expect, it } from "vitest";
import { CountsExchange } from "../../../src/server/workers/counts-exchange.ts";
import type { Counted } from "../../../src/server/workers/counts-outbox.ts";

function world(...workers: number[]) {
  const sent: [worker: number, held: Counted, taken: Counted][] = [];
  const exchange = new CountsExchange((worker, { held, taken }) => void sent.push([worker, held, taken]));
  for (const worker of workers) exchange.add(worker);
  let now = 0;
  /** What is sent next, after some time in which everything was acknowledged. */
  const next = () => {
    now += 1_000;
    exchange.run(now);
    for (const [worker] of sent) exchange.acknowledged(worker);
    return sent.splice(0);
  };
  return { exchange, next };
}

it("tells each worker what the others hold and take", () => {
  const { exchange, next } = world(1, 2, 3);
  exchange.reported(1, { held: ["a", 2], taken: ["t", 5] });
  exchange.reported(2, { held: ["a", 1], taken: [] });
  expect(exchange.nextDueAt()).toBe(Number.NEGATIVE_INFINITY);
  expect(next()).toEqual([
    [1, ["a", 1], []],
    [2, ["a", 2], ["t", 5]],
    [3, ["a", 3], ["t", 5]],
  ]);
  expect([next(), exchange.nextDueAt()]).toEqual([[], undefined]);
});

it("a worker that comes later learns what is held, but not what was taken before", () => {
  const { exchange, next } = world(1, 2);
  exchange.reported(1, { held: ["a", 2, "b", 1], taken: ["t", 5] });
  exchange.reported(2, { held: ["a", 1], taken: [] });
  exchange.reported(1, { held: ["b", -1], taken: [] });
  next();
  exchange.add(3);
  expect(next()).toEqual([[3, ["a", 3], []]]);
});

it("a worker that has gone holds nothing", () => {
  const { exchange, next } = world(1, 2);
  exchange.reported(1, { held: ["a", 2], taken: [] });
  next();
  exchange.remove(1);
  exchange.remove(1);
  expect(next()).toEqual([[2, ["a", -2], []]]);
  exchange.reported(1, { held: ["a", 7], taken: [] });
  exchange.add(1);
  expect(next()).toEqual([]);
});
