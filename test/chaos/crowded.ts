import { setTimeout as delay } from "node:timers/promises";
import { expect, type TestContext } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { GatewayUnderTest } from "./gateway-under-test.ts";
import { Observing } from "./observing.ts";
import { ChaosOracle } from "./oracle.ts";
import type { Value } from "./result.ts";
import { Swarm } from "./swarm.ts";
import { WireClient } from "./wire-client.ts";

// Shared by the suites about crowds. LONG=1 uses production numbers, which need a dedicated machine.

export const LONG = process.env.LONG === "1";
/** Why tests that take minutes do not run. */
export const ONLY_LONG = LONG ? undefined : "LONG=1 tests it, in minutes";
export const SECRET = "the secret of an app that is crowded";

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]! * 10) / 10;
}

export async function start(
  context: TestContext,
  transport: string,
  env: Record<string, string> = {},
  within: readonly string[] = [],
) {
  const problems: string[] = [];
  const gateway = new GatewayUnderTest(
    { TRANSPORT: transport, APPS: JSON.stringify([{ id: "app", secrets: [SECRET] }]), DRAIN_MS: "0", ...env },
    (line) => line.includes('"level":50') && problems.push(line),
    (how) => problems.push(how),
    within,
  );
  context.onTestFinished(async () => {
    await gateway.end("SIGKILL");
    expect(problems).toEqual([]);
  });
  await gateway.start();
  const token = await mintToken("app", SECRET, { tokenType: "app" });
  const connect = async () => {
    const client = await WireClient.connect(gateway.url, "app", token);
    context.onTestFinished(() => client.terminate());
    return client;
  };
  /** `port`: of the proxy in front of the gateway. */
  const swarm = (prefix: string, count: number, addresses: string[] = [], port = gateway.port) => {
    const made = new Swarm({ port, appId: "app", token, prefix, count, addresses });
    context.onTestFinished(() => made.kill());
    return made;
  };
  const oracle = new ChaosOracle({ foreignMarks: [], canaries: [SECRET], toleranceMs: 500 });
  const observe = (name: string, filter: object) => {
    const observing = new Observing(oracle.observer(name, false), filter, () => gateway.url, "app", token);
    context.onTestFinished(() => observing.end());
    return observing;
  };
  const query = (filter: object) => gateway.query("app", SECRET, filter) as Promise<Record<string, Value>>;
  const stats = async () => JSON.parse((await gateway.get("/v1/app/stats", SECRET)).text);
  const node = () => gateway.node("app", SECRET);
  return { gateway, token, connect, swarm, oracle, observe, query, stats, node };
}

/** Updates one session and measures how long each update takes to reach a subscriber. */
export async function latencies(writer: WireClient, reader: WireClient, ms: number): Promise<number[]> {
  const { sessionId } = await writer.ask({ type: "open", kind: "widget", userId: "healthy" });
  await reader.ask({ type: "subscribe", filter: { userIds: ["healthy"] } });
  const all: number[] = [];
  const until = Date.now() + ms;
  for (let n = 0; Date.now() < until; n++) {
    const seen = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, 5_000);
      reader.onText = (text) => {
        if (!text.includes(`"n":"h${n}"`)) return;
        clearTimeout(timer);
        resolve();
      };
    });
    const at = performance.now();
    writer.send({ type: "update", sessionId, custom: { n: `h${n}` } });
    await seen;
    all.push(performance.now() - at);
    // The view is quiet again, so it sends the next change at once.
    await delay(70);
  }
  await writer.ask({ type: "close", sessionId });
  return all;
}
