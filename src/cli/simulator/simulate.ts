import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { mintToken } from "../../server/auth/mint.ts";
import { CliError } from "../cli-error.ts";
import { callApi } from "../http-api.ts";
import type { Target } from "../target.ts";
import { Pacer } from "./pacer.ts";
import { Progress } from "./progress.ts";
import { readStats } from "./stats.ts";
import { SimulatedUser } from "./user.ts";

export interface Crowd {
  readonly users: number;
  /** Connections per second. */
  readonly rate: number;
  readonly conversations: number;
  /** The crowd leaves so long after its first user comes, or never. */
  readonly seconds?: number | undefined;
}

/** A gateway accepts 1,000 connections per address. More users connect from more loopback addresses. */
const USERS_PER_ADDRESS = 500;
const GOODBYE_MS = 2_000;
const TOKEN_SECONDS = 30 * 86_400;

/**
 * Fills a gateway with simulated users until `stop` is aborted, then waits until their sessions are closed.
 */
export async function simulate(
  target: Target & { readonly secret: string },
  crowd: Crowd,
  stop: AbortController,
): Promise<void> {
  const { url, appId, secret } = target;
  // Says why, if the gateway does not answer.
  await callApi({ ...target, token: secret }, { method: "GET", path: "stats" });
  const { signal } = stop;
  setMaxListeners(0, signal);
  let refusal: string | undefined;
  const shared = {
    url: `${url.replace(/^http/, "ws")}/v1/${encodeURIComponent(appId)}/realtime`,
    pacer: new Pacer(crowd.rate),
    conversations: Array.from({ length: crowd.conversations }, (_, i) => `conversation-${i + 1}`),
    signal,
    onRefused: (reason: string) => {
      refusal = reason;
      stop.abort();
    },
  };
  const exp = Math.floor(Date.now() / 1000) + TOKEN_SECONDS;
  const users: SimulatedUser[] = [];
  for (let i = 0; i < crowd.users && !signal.aborted; i++) {
    const token = await mintToken(appId, secret, { tokenType: "user", sub: `user-${i + 1}` }, exp);
    users.push(new SimulatedUser({ ...shared, token, localAddress: sourceAddress(url, i) }));
  }
  const tabs = users.flatMap((user) => user.tabs);
  process.stdout.write(`${users.length} users in ${tabs.length} tabs come to ${url}; Ctrl-C ends it\n`);

  for (const user of users) void user.live();
  if (crowd.seconds !== undefined) setTimeout(() => stop.abort(), crowd.seconds * 1_000).unref();
  const connected = () => tabs.filter((tab) => tab.isConnected).length;
  const progress = new Progress();
  while (!signal.aborted) {
    progress.report(connected(), tabs.length, await readStats(target));
    await sleep(1_000, undefined, { signal }).catch(() => {});
  }
  // The tabs are closing. The gateway confirms each close.
  for (const startedAt = performance.now(); connected() > 0 && performance.now() - startedAt < GOODBYE_MS; ) {
    await sleep(20);
  }
  progress.end();
  if (refusal !== undefined) throw new CliError(`the gateway refuses the crowd: ${refusal}`);
  process.stdout.write("everybody has left\n");
}

function sourceAddress(url: string, user: number): string | undefined {
  const isLoopback = /^127\./.test(new URL(url).hostname);
  if (process.platform !== "linux" || !isLoopback) return undefined;
  return `127.0.0.${2 + Math.floor(user / USERS_PER_ADDRESS)}`;
}
