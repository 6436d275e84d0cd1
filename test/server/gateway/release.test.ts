import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { App } from "../../../src/server/auth/app.ts";
import { MAX_DUE_PER_TURN } from "../../../src/server/gateway/gateway-config.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";
import { SocketSessions } from "../../../src/server/gateway/socket-sessions.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { testTelemetry } from "../../support/stubs.ts";

// The socket of a back end may hold 10,000 sessions, all of which end with it.

const SESSIONS = 10_000;
const reply: Reply = { send: () => {}, ok: () => {}, error: () => {}, badMessage: () => {} };

/** A node with two apps that has no timer. */
function testNode(now: () => number): GatewayNode {
  const node = new GatewayNode({
    apps: ["app", "another"].map((id) => new App({ id, secrets: ["x"] })),
    limits: readSettings({}, { openFiles: 65_536, readFile: () => "" }).limits,
    clock: { now, wallNow: () => 0 },
    telemetry: testTelemetry(),
    nodeId: "n",
    makeId,
    random: Math.random,
  });
  node.stop();
  return node;
}

it.each([
  ["says goodbye", true],
  ["is lost", false],
])(
  "the sessions of a socket that %s end a limited number at a time, so that others are served",
  async (name, clean) => {
    let now = 0;
    const node = testNode(() => now);
    const { limits } = node;
    const presence = node.presence("app")!;
    const { view } = presence.liveViews.channel(new CompiledFilter(FilterSchema.parse({})));
    const held = new SocketSessions(presence, reply, SESSIONS);
    for (let i = 0; i < SESSIONS; i++) {
      held.open({ type: "open", kind: "widget", userId: `user-${i}` }, { kind: "app", exp: undefined }, now);
    }
    now += 1_000;
    presence.transact(now, () => {});
    now += 1_000;
    const causes = new Set<unknown>();
    let longest = 0;
    const turn = async (act: () => void) => {
      // A large flush waits for the next turn of the event loop.
      await setImmediate();
      const { sessions } = presence.table.counts();
      const [version, startedAt] = [view.version, performance.now()];
      act();
      longest = Math.max(longest, performance.now() - startedAt);
      expect(sessions - presence.table.counts().sessions).toBeLessThanOrEqual(MAX_DUE_PER_TURN);
      for (const diff of view.since(version) ?? []) {
        for (const cause of Object.values(JSON.parse(diff.whole()).causes)) causes.add(cause);
      }
    };
    await turn(() => held.release(clean, now));
    if (!clean) now += limits.resumeWindowMs;
    while (presence.table.counts().sessions > 0) await turn(() => presence.run(now));
    now += 1_000;
    await turn(() => presence.run(now));
    expect(view.size).toBe(0);
    expect([...causes]).toEqual([clean ? "closed" : "timeout"]);
    expect(presence.debugCounts()).toMatchObject({ sessions: 0, disconnected: 0, ending: 0 });
    process.stdout.write(
      `${SESSIONS} sessions of a socket that ${name}: ended in turns of at most ${longest.toFixed(1)} ms\n`,
    );
  },
);

it("the sessions of many sockets that close in one turn end a limited number at a time", () => {
  const node = testNode(() => 0);
  const [one, another] = [node.presence("app")!, node.presence("another")!];
  const held = Array.from({ length: 2 * MAX_DUE_PER_TURN }, (_, i) => {
    const sockets = new SocketSessions(i % 2 === 0 ? one : another, reply, 1);
    sockets.open({ type: "open", kind: "widget", userId: `user-${i}` }, { kind: "app", exp: undefined }, 0);
    return sockets;
  });
  for (const sockets of held) sockets.release(true, 0);
  const left = () => one.table.counts().sessions + another.table.counts().sessions;
  expect(2 * MAX_DUE_PER_TURN - left()).toBeLessThanOrEqual(MAX_DUE_PER_TURN);
  expect(2 * MAX_DUE_PER_TURN - left()).toBeGreaterThan(0);
  for (const presence of [one, another]) presence.run(1);
  expect(left()).toBe(0);
});
