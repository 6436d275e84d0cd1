import { expect, it } from "vitest";
import { App } from "../../src/auth/app.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { Hub } from "../../src/gateway/hub.ts";
import { Outbox } from "../../src/gateway/outbox.ts";
import type { Reply } from "../../src/gateway/reply.ts";
import { Subscriptions } from "../../src/gateway/subscriptions.ts";
import { createCounters } from "../../src/gateway/telemetry.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { readSettings } from "../../src/settings.ts";
import { makeId } from "../../src/shared/ids.ts";
import { TEST_OWNER, testPageTurns } from "../support/stubs.ts";
import { until } from "../support/until.ts";

// A query that waits for its reader holds its filter, which may have a quarter of a megabyte.

const MIB = 1024 * 1024;
const PER_SOCKET = 100;

function setUp() {
  const { limits } = readSettings(
    { MAX_SUBSCRIPTION_BYTES_PER_USER: String(8 * MIB) },
    { openFiles: 65_536, readFile: () => "" },
  );
  const telemetry = {
    ...createCounters(),
    refused: () => {},
    crashed: (error: unknown) => expect.fail(String(error)),
    observeDiffDelay: () => {},
    observeQuery: () => {},
  };
  const clock = { now: () => 0, wallNow: () => 0 };
  const app = new App({ id: "app", secrets: ["x"] });
  const hub = new Hub({ apps: [app], limits, clock, telemetry, nodeId: "n", makeId, random: () => 0 });
  hub.stop();
  const tenant = hub.tenant("app")!;
  const errors: string[] = [];
  const reply: Reply = {
    send: () => {},
    ok: () => {},
    error: (_id, code) => void errors.push(code),
    bad: () => expect.fail("it is no bad message"),
  };
  /** A socket whose reader takes nothing until it is told to. */
  const socket = (userId: string | undefined) => {
    const sink = { buffered: MIB, progress: 0, send: () => false };
    const outbox = new Outbox(sink, MIB, TEST_OWNER, testPageTurns());
    const budget = userId === undefined ? tenant.budgets.ofAppToken(0) : tenant.budgets.acquire(userId, 0);
    const subscriptions = new Subscriptions(tenant, outbox, reply, TEST_OWNER, PER_SOCKET, budget);
    const exp = undefined;
    const principal: Principal =
      userId === undefined ? { kind: "app", exp } : { kind: "user", userId, grant: { kind: "all" }, exp };
    const query = (name: string) => {
      const userIds = Array.from({ length: 1_000 }, (_, i) => `${name}-${i}`.padEnd(245, "x"));
      const before = errors.length;
      subscriptions.query({ type: "query", id: 1, filter: FilterSchema.parse({ userIds }) }, principal);
      return errors[before];
    };
    const readAll = async () => {
      sink.buffered = 0;
      outbox.drained();
      await until(() => outbox.jobs === 0);
    };
    return { query, readAll, subscriptions, budget };
  };
  return { socket };
}

it("the queries of a user that wait are bounded in bytes, over all sockets", async () => {
  const { socket } = setUp();
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
