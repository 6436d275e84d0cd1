import { expect, it } from "vitest";
import { addStats } from "../../../src/server/http/app-stats.ts";
import { PrimaryStats } from "../../../src/server/workers/primary-stats.ts";

const HOOK = { id: "hook", deliveries: 3, failures: 1, secondsBehind: 2, off: true, delivering: true };
const ONE = { sockets: 1, subscriptions: 2, views: 3, webhooks: [HOOK] };
const TWO = { sockets: 10, subscriptions: 20, views: 30, webhooks: [{ ...HOOK, deliveries: 4 }] };
const NEW = { id: "hook", deliveries: 0, failures: 0, secondsBehind: 0, off: false, delivering: false };

function world() {
  const stats = new PrimaryStats();
  const read = (answers: Record<number, unknown>, app = "app") => {
    const byWorker = Object.entries(answers).map(([worker, answer]) => [Number(worker), answer] as const);
    return addStats(stats.read(app, new Map(byWorker)));
  };
  return { stats, read };
}

it("no count falls when a worker ends or does not answer, and what is there now does", () => {
  const { stats, read } = world();
  expect(read({ 1: ONE, 2: TWO })).toMatchObject({ sockets: 11, webhooks: [{ deliveries: 7, failures: 2 }] });
  expect(read({ 1: ONE })).toMatchObject({ sockets: 11, webhooks: [{ deliveries: 7 }] });
  stats.left(1);
  stats.left(1);
  stats.left(2);
  expect(read({})).toEqual(addStats([]));
  // JSON has null for what is undefined.
  const again = { ...ONE, webhooks: [NEW] };
  expect(read({ 1: again, 2: null })).toEqual({
    ...again,
    webhooks: [{ ...NEW, deliveries: 7, failures: 2 }],
  });
  stats.left(1);
  expect(read({ 1: again }).webhooks).toMatchObject([{ deliveries: 7 }]);
  expect(read({ 1: again }, "other").webhooks).toEqual([NEW]);
});

it("a webhook or an app that is taken out is not shown any more", () => {
  const { stats, read } = world();
  read({ 1: ONE, 2: TWO });
  stats.left(2);
  expect(read({ 1: { ...ONE, webhooks: [] } }).webhooks).toEqual([]);
  expect(read({ 1: null })).toEqual(addStats([]));
  expect(read({ 1: ONE }).webhooks).toEqual([HOOK]);
});
