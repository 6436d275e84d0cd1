import { setImmediate } from "node:timers/promises";
import { expect, it, onTestFinished, vi } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { Bucket } from "../../../src/core/sessions/bucket.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { App } from "../../../src/server/auth/app.ts";
import type { Principal } from "../../../src/server/auth/principal.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { Subscriptions } from "../../../src/server/gateway/subscriptions.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { TEST_OWNER, testPageTurns, testTelemetry } from "../../support/stubs.ts";
import { until } from "../../support/until.ts";

// A query that waits for its reader holds its filter, which may have a quarter of a megabyte.

const MIB = 1024 * 1024;
const PER_SOCKET = 100;

function setUp(maxBytes = MIB) {
  const { limits } = readSettings(
    { MAX_SUBSCRIPTION_BYTES_PER_USER: String(maxBytes) },
    { openFiles: 65_536, readFile: () => "" },
  );
  const telemetry = testTelemetry();
  const clock = { now: () => 0, wallNow: () => 0 };
  const app = new App({ id: "app", secrets: ["x"] });
  const node = new GatewayNode({
    apps: [app],
    limits,
    clock,
    telemetry,
    nodeId: "n",
    makeId,
    random: () => 0,
  });
  node.stop();
  const presence = node.presence("app")!;
  const errors: string[] = [];
  const reply: Reply = {
    send: () => {},
    ok: () => {},
    error: (_id, code) => void errors.push(code),
    badMessage: () => expect.fail("it is no bad message"),
  };
  /** A socket whose reader takes nothing until it is told to. */
  const socket = (userId: string | undefined) => {
    const sink = {
      buffered: MIB,
      progress: 0,
      sent: 0,
      stops: false,
      send: () => {
        sink.sent++;
        if (sink.stops) sink.buffered = MIB;
        return false;
      },
    };
    const sendQueue = new SendQueue(sink, MIB, TEST_OWNER, testPageTurns());
    const budget =
      userId === undefined ? presence.budgets.ofAppToken(0) : presence.budgets.acquire(userId, 0);
    const subscriptions = new Subscriptions(presence, sendQueue, reply, TEST_OWNER, PER_SOCKET, budget);
    const exp = undefined;
    const principal: Principal =
      userId === undefined ? { kind: "app", exp } : { kind: "user", userId, grant: { kind: "all" }, exp };
    const query = (name: string) => {
      const userIds = Array.from({ length: 1_000 }, (_, i) => `${name}-${i}`.padEnd(245, "x"));
      const before = errors.length;
      subscriptions.query({ type: "query", id: 1, filter: FilterSchema.parse({ userIds }) }, principal);
      return errors[before];
    };
    const queryAll = () => {
      const before = errors.length;
      subscriptions.query({ type: "query", id: 1, filter: FilterSchema.parse({}) }, principal);
      return errors[before];
    };
    const subscribe = (filter: unknown) => {
      const before = errors.length;
      subscriptions.subscribe({ type: "subscribe", id: 1, filter: FilterSchema.parse(filter) }, principal);
      return errors[before];
    };
    /** The reader takes what waits, and stops again. */
    const readOne = () => {
      sink.buffered = 0;
      sendQueue.drained();
    };
    const readAll = async () => {
      sink.buffered = 0;
      sendQueue.drained();
      await until(() => sendQueue.pagedResponses === 0);
    };
    return { query, queryAll, subscribe, readOne, readAll, sink, sendQueue, subscriptions, budget };
  };
  return { socket, presence };
}

/** More users than are looked at in one go. */
function crowd({ presence }: ReturnType<typeof setUp>, users: number) {
  const connection = { onSessionTaken: () => {} };
  presence.transact(0, (sessions) => {
    for (let i = 0; i < users; i++) sessions.open(`user-${i}`, "widget", { custom: { n: "0" } }, connection);
  });
  const copies = vi.spyOn(Bucket.prototype, "list");
  onTestFinished(() => copies.mockRestore());
  return copies;
}

it("the waiting queries of a user are limited in bytes, over all sockets", async () => {
  const { socket } = setUp(8 * MIB);
  const sockets = [socket("mallory"), socket("mallory"), socket("mallory")];
  let waiting = 0;
  let refusal: string | undefined;
  for (let i = 0; refusal === undefined && i < 100; i++) {
    refusal = sockets[i % 3]!.query(`${i}`);
    if (refusal === undefined) waiting++;
  }
  expect(refusal).toBe("LIMIT_REACHED");
  expect(waiting).toBeGreaterThan(8);
  expect(waiting).toBeLessThan(20);
  expect(sockets[0]!.budget.subscriptions!.bytes).toBeLessThanOrEqual(8 * MIB);
  // Somebody else, and an app, may ask.
  expect([socket("bystander").query("b"), socket(undefined).query("c")]).toEqual([undefined, undefined]);
  // What was answered is given back, and so is what a socket that is gone had asked for.
  await sockets[0]!.readAll();
  expect(sockets[1]!.query("again")).toBeUndefined();
  await sockets[1]!.readAll();
  sockets[2]!.subscriptions.endAll(0);
  expect(sockets[0]!.budget.subscriptions!.isEmpty).toBe(true);
});

it("long answers that a user does not read hold limited memory; the rest waits", async () => {
  const world = setUp();
  const copies = crowd(world, 5_000);
  const sockets = Array.from({ length: 12 }, () => world.socket("mallory"));
  for (const { sink, queryAll, readOne } of sockets) {
    sink.stops = true;
    expect(queryAll()).toBeUndefined();
    readOne();
    await setImmediate();
  }
  // Of 1 MiB, 5,000 sessions that are still to be looked at take nearly a quarter.
  const begun = sockets.filter(({ sink }) => sink.sent > 0);
  expect([begun.length, copies.mock.calls.length]).toEqual([4, 4]);
  // Somebody else is answered, and an app.
  for (const bystander of [world.socket("bystander"), world.socket(undefined)]) {
    expect(bystander.queryAll()).toBeUndefined();
    await bystander.readAll();
    expect(bystander.sink.sent).toBeGreaterThan(1);
  }
  // One that is gone makes room for another, and one that reads for the next.
  begun[0]!.subscriptions.endAll(0);
  begun[0]!.sendQueue.close();
  const rest = sockets.filter((each) => each !== begun[0]);
  await until(() => rest.filter(({ sink }) => sink.sent > 0).length === 4);
  for (const { sink } of rest) sink.stops = false;
  await Promise.all(rest.map(({ readAll }) => readAll()));
  expect(rest.every(({ sink }) => sink.sent === rest[0]!.sink.sent)).toBe(true);
  for (const { subscriptions } of rest) subscriptions.endAll(0);
  expect(begun[0]!.budget.subscriptions!.isEmpty).toBe(true);
});

it("a large view is not hydrated for a user who has no room for it", async () => {
  const world = setUp();
  const copies = crowd(world, 12_000);
  const mallory = world.socket("mallory");
  for (let i = 0; i < 10; i++) expect(mallory.subscribe({ hasFocus: false })).toBe("LIMIT_REACHED");
  expect([copies.mock.calls.length, world.presence.debugCounts().views]).toEqual([0, 0]);
  // A small one is had, and an app has the large one.
  expect(mallory.subscribe({ selectedConversationId: "room" })).toBeUndefined();
  expect(world.socket(undefined).subscribe({ hasFocus: false })).toBeUndefined();
  await until(() => world.presence.debugCounts().hydrating === 0);
});
