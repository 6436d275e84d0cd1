import { loadavg } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { cpuSeconds } from "../support/cpu.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { LONG, percentile, print, start } from "./crowded.ts";
import { type Message, WireClient } from "./wire-client.ts";

// Very many clients at once.

describe.each(TRANSPORTS)("storms, over %s", (transport) => {
  // The same on a small scale: as many seconds of admission, a tenth of the clients.
  const clients = LONG ? 15_000 : 600;
  const scaled: Record<string, string> = LONG ? {} : { MAX_CONNECTS_PER_SECOND: "150" };
  it(`R33: ${clients} cut-off clients return at once, within the admission rate, and no observer notices`, async (context) => {
    const { swarm, oracle, observe, query, node, stats, gateway } = await start(context, transport, {
      RESUME_WINDOW_MS: LONG ? "60000" : "30000",
      HEARTBEAT_INTERVAL_MS: "60000",
      ...scaled,
    });
    const addresses = Array.from({ length: 20 }, (_, i) => `127.0.1.${i + 1}`);
    const swarms = Array.from({ length: LONG ? 3 : 2 }, (_, i, all = LONG ? 3 : 2) =>
      swarm(`s${i}-`, clients / all, addresses),
    );
    await Promise.all(swarms.map((each) => each.order({ kind: "connect" })));
    await Promise.all(swarms.map((each) => each.order({ kind: "open", overMs: 1_000 })));
    const observing = observe("observer", {});
    await delay(1_000);
    expect(await observing.caughtUp(10_000)).toBe(true);
    expect(Object.keys(await query({}))).toHaveLength(clients);
    const { diffs } = observing.observer;
    const cutAt = Date.now();
    const cpuBefore = cpuSeconds(gateway.pid!) ?? 0;
    await Promise.all(swarms.map((each) => each.order({ kind: "cut" })));
    type Return = { readonly resumed: number; readonly attempts: number; readonly tookMs: number[] };
    // The delay covers ten seconds at a time. The worst ones count.
    const delays: { readonly p99: number; readonly max: number }[] = [];
    const looking = setInterval(() => void node().then((each) => delays.push(each.eventLoopDelayMs)), 2_000);
    const returns = await Promise.all(
      swarms.map((each) => each.order<Return>({ kind: "comeBack", windowMs: 15_000 })),
    );
    const took = returns.flatMap(({ tookMs }) => tookMs);
    const resumed = returns.reduce((sum, each) => sum + each.resumed, 0);
    const attempts = returns.reduce((sum, each) => sum + each.attempts, 0);
    delays.push((await node()).eventLoopDelayMs);
    clearInterval(looking);
    const worst = (which: "p99" | "max") => Math.max(...delays.map((each) => each[which]));
    const cpu = (cpuSeconds(gateway.pid!) ?? 0) - cpuBefore;
    await observing.caughtUp(10_000);
    expect(oracle.violations).toEqual([]);
    print(
      `R33 ${transport}: ${clients} cut, ${resumed} resumed, ${attempts} attempts, back after p50 ${percentile(took, 0.5)}, p99 ${percentile(took, 0.99)}, ` +
        `max ${percentile(took, 1)} ms, ${took.filter((ms) => ms > 15_000).length} after 15 s; ${observing.observer.diffs - diffs} diffs seen; ` +
        `loop delay p99 ${worst("p99")}, max ${worst("max")} ms, ${cpu.toFixed(1)} s of CPU; ${Date.now() - cutAt} ms in all, load ${loadavg()[0]!.toFixed(1)}`,
    );
    expect(resumed).toBe(clients);
    expect(observing.observer.diffs).toBe(diffs);
    expect(await stats()).toMatchObject({ sessions: clients, sockets: clients + 1 });
  }, 180_000);

  const joiners = LONG ? 2_000 : 600;
  it(`R57: ${joiners} clients that join within a second are visible within two, in few messages`, async (context) => {
    const { swarm, token, gateway, node, query } = await start(context, transport, {
      MAX_CONNECTIONS_PER_IP: "10000",
    });
    const swarms = [swarm("s0-", joiners / 2), swarm("s1-", joiners / 2)];
    await Promise.all(swarms.map((each) => each.order({ kind: "connect" })));
    const seenAt = new Map<string, number>();
    const frames = [0, 0, 0, 0, 0];
    for (const i of frames.keys()) {
      const reader = await WireClient.connect(gateway.url, "app", token);
      context.onTestFinished(() => reader.terminate());
      await reader.ask({ type: "subscribe", filter: {} });
      reader.onText = (text) => {
        const message: Message = JSON.parse(text);
        if (message.type !== "diff") return;
        frames[i]!++;
        // The last observer counts.
        for (const userId of Object.keys(message.data)) seenAt.set(`${i} ${userId}`, Date.now());
      };
    }
    const startedAt = Date.now();
    const sent = await Promise.all(
      swarms.map((each) => each.order<[string, number][]>({ kind: "open", overMs: 1_000 })),
    );
    const lastedMs = Date.now() - startedAt;
    await delay(300);
    const took = sent
      .flat()
      .flatMap(([userId, at]) => frames.map((_, i) => seenAt.get(`${i} ${userId}`)! - at));
    const { eventLoopDelayMs } = await node();
    print(
      `R57 ${transport}: ${joiners} joined within ${lastedMs} ms, seen by 5 observers after p50 ${percentile(took, 0.5)}, p99 ${percentile(took, 0.99)}, ` +
        `max ${percentile(took, 1)} ms, in ${Math.max(...frames)} frames each; loop delay p99 ${eventLoopDelayMs.p99} ms`,
    );
    expect(Object.keys(await query({}))).toHaveLength(joiners);
    expect(took.some(Number.isNaN)).toBe(false);
    expect(percentile(took, 0.99)).toBeLessThan(2_000);
    // At most one per 50 ms, and the immediate one.
    expect(Math.max(...frames)).toBeLessThanOrEqual(Math.ceil((lastedMs + 300) / 50) + 2);
  }, 60_000);

  const cycles = LONG ? 100_000 : 1_200;
  it(`R71: ${cycles} visits, ended in every way, leave nothing behind`, async (context) => {
    const { swarm, gateway, node, stats, query } = await start(context, transport, {
      RESUME_WINDOW_MS: "500",
      MAX_CONNECTS_PER_SECOND: "100000",
      HTTP_REQUESTS_PER_SECOND: "100000",
      MAX_CONNECTIONS_PER_IP: "10000",
    });
    const visitors = [swarm("a-", 25), swarm("b-", 25)];
    const round = async (count: number) => {
      await Promise.all(visitors.map((each) => each.order({ kind: "churn", cycles: count / 2 })));
      await delay(1_200);
      return { ...(await node()), files: gateway.files() };
    };
    const first = await round(cycles / 4);
    const rounds = [await round(cycles / 4), await round(cycles / 4), await round(cycles / 4)];
    const last = rounds.at(-1)!;
    const mb = (bytes: number) => (bytes / 1e6).toFixed(1);
    print(
      `R71 ${transport}: ${cycles} visits; resident MB by quarter ${[first, ...rounds].map((each) => mb(each.rssBytes)).join(", ")}, ` +
        `heap MB ${[first, ...rounds].map((each) => mb(each.heapUsedBytes)).join(", ")}; files ${first.files}, then ${last.files}`,
    );
    expect(await query({ includeBackgroundSessions: true })).toEqual({});
    expect(await stats()).toMatchObject({ users: 0, sessions: 0, sockets: 0, subscriptions: 0, typing: 0 });
    if (first.files !== undefined) expect(last.files).toBeLessThanOrEqual(first.files + 2);
    expect(last.rssBytes - first.rssBytes).toBeLessThan(60e6);
  }, 600_000);
});
