import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { mintToken } from "../src/auth/mint.ts";
import { Gate } from "./crowd/gate.ts";
import { Progress } from "./crowd/progress.ts";
import { DemoError, findGateway, readStats } from "./crowd/target.ts";
import { SimulatedUser } from "./crowd/user.ts";

const USAGE = `Usage: npm run demo -- [users] [--seconds N]

Fills a running gateway with simulated users, 200 unless you say otherwise, until Ctrl-C or for N seconds.
PORT: of the gateway in development mode on this machine, 8080 by default.
GATEWAY_URL, APP_ID, APP_SECRET: another gateway.
`;

const CONNECTS_PER_SECOND = 100;
const CONVERSATIONS = Array.from({ length: 30 }, (_, i) => `conversation-${i + 1}`);
/** Gateways let in 1,000 connections an address; more come from several addresses, which loopback has plenty of. */
const USERS_PER_ADDRESS = 500;
const GOODBYE_MS = 2_000;

async function main(): Promise<void> {
  const { values, positionals } = readArguments();
  if (values.help) return void process.stdout.write(USAGE);
  const count = readNumber("users", positionals[0] ?? (process.env.USERS || "200"), 50_000);
  const seconds =
    values.seconds === undefined ? undefined : readNumber("--seconds", values.seconds, 1_000_000);
  const gateway = await findGateway(process.env);
  const { appId, secret } = gateway;
  const url = `${gateway.url.replace(/^http/, "ws")}/v1/${encodeURIComponent(appId)}/realtime`;
  const gate = new Gate(CONNECTS_PER_SECOND);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  let refusal: string | undefined;
  const onRefused = (reason: string) => {
    refusal = reason;
    stop.abort();
  };

  const users: SimulatedUser[] = [];
  for (let i = 0; i < count; i++) {
    const token = await mintToken(appId, secret, { tokenType: "user", sub: `user-${i + 1}` });
    const localAddress = sourceAddress(url, i);
    const options = {
      url,
      token,
      gate,
      conversations: CONVERSATIONS,
      signal: stop.signal,
      onRefused,
      localAddress,
    };
    users.push(new SimulatedUser(options));
  }
  const tabs = users.flatMap((user) => user.tabs);
  process.stdout.write(`${count} users in ${tabs.length} tabs come to ${gateway.url}; Ctrl-C ends it\n`);

  process.on("SIGINT", () => stop.abort());
  process.on("SIGTERM", () => stop.abort());
  if (seconds !== undefined) setTimeout(() => stop.abort(), seconds * 1000).unref();
  for (const user of users) void user.live();
  const connected = () => tabs.filter((tab) => tab.isConnected).length;
  const progress = new Progress();
  while (!stop.signal.aborted) {
    progress.report(connected(), tabs.length, await readStats(gateway));
    await sleep(1_000, undefined, { signal: stop.signal }).catch(() => {});
  }
  // The tabs have said goodbye; the gateway answers each.
  for (const startedAt = performance.now(); connected() > 0 && performance.now() - startedAt < GOODBYE_MS; ) {
    await sleep(20);
  }
  progress.end();
  if (refusal !== undefined) throw new DemoError(`the gateway refuses the crowd: ${refusal}`);
  process.stdout.write("everybody has left\n");
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { seconds: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    throw new DemoError((error as Error).message);
  }
}

function readNumber(name: string, text: string, max: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1 || value > max) throw new DemoError(`${name} must be a whole number from 1 to ${max}`);
  return value;
}

function sourceAddress(url: string, user: number): string | undefined {
  const isLoopback = /^127\./.test(new URL(url).hostname);
  if (process.platform !== "linux" || !isLoopback) return undefined;
  return `127.0.0.${2 + Math.floor(user / USERS_PER_ADDRESS)}`;
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    const { message, stack } = error as Error;
    process.stderr.write(`demo: ${error instanceof DemoError ? message : (stack ?? message)}\n`);
    process.exit(1);
  },
);
