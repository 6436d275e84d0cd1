import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TRANSPORTS } from "../support/transports.ts";
import { unless } from "../support/unless.ts";
import { LONG, ONLY_LONG, print, start } from "./crowded.ts";
import type { SwarmArrival } from "./swarm.ts";

// More clients than memory, in a control group that limits the memory of its processes.

const MEMORY_MB = 256;
const folder = `/sys/fs/cgroup/memory/chaos-${process.pid}`;

function makeFolder(): void {
  mkdirSync(folder);
  writeFileSync(`${folder}/memory.limit_in_bytes`, String(MEMORY_MB * 2 ** 20));
}

/** Why this machine has no such control group; undefined if it has. */
function whyNone(): string | undefined {
  try {
    makeFolder();
    rmdirSync(folder);
    return undefined;
  } catch (error) {
    return `memory can't be bounded here: ${error}`;
  }
}

const read = (name: string) => readFileSync(`${folder}/memory.${name}`, "utf8");
const mb = (bytes: number) => (bytes / 1e6).toFixed(0);

unless(whyNone(), describe).each(TRANSPORTS)("with little memory, over %s", (transport) => {
  beforeAll(makeFolder);
  afterAll(() => rmdirSync(folder));
  const within = ["sh", "-c", `echo $$ > ${folder}/cgroup.procs && exec "$@"`, "sh"];
  const env = { HEARTBEAT_INTERVAL_MS: "60000", MAX_CONNECTIONS_PER_IP: "100000" };

  const visitors = LONG ? 21_000 : 9_000;
  it(`R40: ${MEMORY_MB} MB accept some of ${visitors} clients with four sessions and all custom data, refuse the rest, and accept others later`, async (context) => {
    const { swarm, connect, gateway, node, stats } = await start(context, transport, env, within);
    writeFileSync(`${folder}/memory.max_usage_in_bytes`, "0");
    const { rssBytes: atFirst } = await node();
    const there = await connect();
    await there.ask({ type: "open", kind: "widget", userId: "there" });
    const swarms = [0, 1, 2].map((i) => swarm(`s${i}-`, visitors / 3));
    const arrivals = await Promise.all(swarms.map((each) => each.order<SwarmArrival>({ kind: "arrive" })));
    const arrived = arrivals.reduce((sum, each) => sum + each.arrived, 0);
    const refusals = arrivals.flatMap((each) => each.refusals);
    const { rssBytes: atMost } = await node();
    // Connected clients are served if that needs no more memory, and the node stays in service for them.
    expect(await there.ask({ type: "update", isTyping: true })).toMatchObject({ type: "ok" });
    expect(await there.ask({ type: "open", kind: "widget", userId: "first" })).toMatchObject({
      code: "LIMIT_REACHED",
    });
    expect(JSON.parse((await gateway.get("/readyz", "")).text)).toEqual({ status: "low_memory" });
    expect((await stats()).sessions).toBeGreaterThan(arrived);
    expect(arrived).toBeGreaterThan(1_000);
    expect(arrived + refusals.length).toBe(visitors);
    // The sessions of the clients that connected just before were refused.
    const statuses = refusals.filter((status) => status !== 0);
    expect(new Set(statuses)).toEqual(new Set([503]));
    const counted = /presence_refusals_total\{reason="memory"\} (\d+)/.exec(
      (await gateway.get("/metrics", "")).text,
    )?.[1];
    expect(counted).toBe(String(statuses.length));

    const leftAt = Date.now();
    for (const each of swarms) each.kill();
    while ((await connect().catch(() => undefined)) === undefined) {
      expect(Date.now() - leftAt).toBeLessThan(150_000);
      await delay(250);
    }
    const backMs = Date.now() - leftAt;
    const { rssBytes: atLast } = await node();
    expect(await there.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    const kills = /oom_kill (\d+)/.exec(read("oom_control"))?.[1];
    print(
      `R40 ${transport}: ${arrived} of ${visitors} let in, ${statuses.length} refused with 503, ${refusals.length - statuses.length} sessions refused; resident ${mb(atFirst)}, then ${mb(atMost)} MB of ${MEMORY_MB} MiB, bounded memory at most ` +
        `${mb(Number(read("max_usage_in_bytes")))} MB, its limit hit ${read("failcnt").trim()} times, ${kills} kills; when all had left, others were let in after ${(backMs / 1000).toFixed(1)} s, resident ${mb(atLast)} MB`,
    );
    expect(kills).toBe("0");
  }, 300_000);

  unless(ONLY_LONG, it)(
    `R40: 18,000 with a plain session fit into ${MEMORY_MB} MB`,
    async (context) => {
      const { swarm, node, stats } = await start(context, transport, env, within);
      const begin = await node();
      const swarms = [0, 1, 2].map((i) => swarm(`s${i}-`, 6_000));
      await Promise.all(swarms.map((each) => each.order({ kind: "connect" })));
      const connected = await node();
      await Promise.all(swarms.map((each) => each.order({ kind: "open", overMs: 5_000 })));
      const { sessions, sockets } = await stats();
      const open = await node();
      print(
        `R40 ${transport}: ${sockets} sockets and ${sessions} sessions within ${MEMORY_MB} MiB: resident ${mb(begin.rssBytes)} MB at the beginning, ` +
          `${mb(connected.rssBytes)} connected, ${mb(open.rssBytes)} with sessions; the limit was hit ${read("failcnt").trim()} times`,
      );
      expect(sessions).toBe(18_000);
    },
    180_000,
  );
});
