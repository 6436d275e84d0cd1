import { monitorEventLoopDelay } from "node:perf_hooks";
import { afterEach, describe, expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { App } from "../../../src/server/auth/app.ts";
import { createAwakeClock } from "../../../src/server/clock.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import { createCounters } from "../../../src/server/gateway/telemetry.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { TestGateway } from "../../support/gateway.ts";
import { TRANSPORTS } from "../../support/transports.ts";
import { until } from "../../support/until.ts";

const MINUTES = 60_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.each(TRANSPORTS)("a wall clock that jumps, over %s", (transport) => {
  let gateway: TestGateway;
  /** How far the wall clock of the machine has been set, from where it was. */
  let jump = 0;

  async function start(): Promise<void> {
    jump = 0;
    const clock = createAwakeClock(undefined, () => Date.now() + jump);
    // All longer than the test, and shorter than the jumps.
    const env = { HEARTBEAT_INTERVAL_MS: "60000", RESUME_WINDOW_MS: "60000", TYPING_TIMEOUT_MS: "120000" };
    gateway = await TestGateway.start(transport, { clock, env });
  }
  afterEach(() => gateway.stop());

  it("ends nothing: no socket, no disconnected session, no typing", async () => {
    await start();
    const alice = await gateway.connect("alice");
    const bob = await gateway.connect("bob");
    await alice.open({ isTyping: true });
    const waiting = await bob.open({});
    const watcher = await gateway.connect();
    await watcher.subscribe({});
    bob.terminate();
    for (const to of [5, -5, 0, 60 * 24 * 365, -60 * 24 * 365, 0]) {
      jump = to * MINUTES;
      // The gateway does what it takes to be due.
      gateway.node.run(gateway.node.clock.now());
      await watcher.settled();
    }
    expect(watcher.inbox).toEqual([]);
    const again = await gateway.connect("bob");
    const opened = await again.ask({ type: "open", kind: "widget", sessionId: waiting });
    expect(opened).toMatchObject({ sessionId: waiting, resumed: true });
    await watcher.settled();
    expect(watcher.inbox).toEqual([]);
    expect(Object.keys(await gateway.query({ isTyping: true }))).toEqual(["alice"]);
  });

  it("decides about tokens: forward, it ends expired ones; back, it accepts them again", async () => {
    await start();
    const exp = Math.floor(Date.now() / 1000) + 120;
    const token = await gateway.token({ tokenType: "user", sub: "alice" }, exp);
    const client = await gateway.socket();
    client.send({ type: "connect", token });
    await client.next("connected");
    const endless = await gateway.connect("bob");
    jump = 1.5 * MINUTES;
    expect((await client.next("token_expiring")).expiresInMs).toBeLessThanOrEqual(30_000);
    jump = 5 * MINUTES;
    // Looked at twice a second, whatever the timers were set for.
    expect((await client.closed).code).toBe(4410);
    const late = await gateway.socket();
    late.send({ type: "connect", token });
    expect((await late.closed).code).toBe(4401);
    jump = -5 * MINUTES;
    const early = await gateway.socket();
    early.send({ type: "connect", token });
    expect(await early.next("connected")).toMatchObject({ userId: "alice" });
    await endless.settled();
  });
});

const SESSIONS = 50_000;

describe(`deadlines of ${SESSIONS} sessions at once`, () => {
  it.each(["typing that ends", "resume windows that end"])("%s", async (what) => {
    const isTyping = what.startsWith("typing");
    const limits = readSettings({}, { openFiles: 65_536, readFile: () => "" }).limits;
    let time = 0;
    const clock = { now: () => time, wallNow: () => 0 };
    const defects: unknown[] = [];
    const telemetry = {
      ...createCounters(),
      refused: () => {},
      crashed: (error: unknown) => void defects.push(error),
      observeDiffDelay: () => {},
      observeQuery: () => {},
    };
    const app = new App({ id: "app", secrets: ["x"] });
    const node = new GatewayNode({
      apps: [app],
      limits,
      clock,
      telemetry,
      nodeId: "n",
      makeId,
      random: Math.random,
    });
    const presence = node.presence("app")!;
    const connection = { onSessionTaken: () => {} };
    presence.transact(time, (sessions) => {
      for (let i = 0; i < SESSIONS; i++) {
        const patch = { selectedConversationId: `c${i % 1_000}`, isTyping: true };
        const session = sessions.open(`user-${i}`, "widget", patch, connection);
        if (!isTyping) sessions.markDisconnected(session);
      }
    });
    const delay = monitorEventLoopDelay({ resolution: 5 });
    delay.enable();
    await pause(20);
    time += isTyping ? limits.typingTimeoutMs : limits.resumeWindowMs;
    const left = () => presence.table.counts()[isTyping ? "typing" : "sessions"];
    await until(() => left() < SESSIONS);
    const before = performance.now();
    // Others are served in between: it takes many turns.
    let turns = 0;
    for (; left() > 0; turns++) await pause(1);
    const ms = performance.now() - before;
    await pause(20);
    delay.disable();
    node.stop();
    expect(turns).toBeGreaterThan(10);
    expect(presence.table.counts().sessions).toBe(isTyping ? SESSIONS : 0);
    expect(defects).toEqual([]);
    process.stdout.write(
      `${SESSIONS}× ${what} at once: ${Math.round(ms)} ms, event loop late by ${Math.round(delay.max / 1e6)} ms at most\n`,
    );
  });
});
