import { createHash } from "node:crypto";
import { RedisPipe } from "../load/redis-pipe.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { MeasuredRedis, redisVersion } from "../servers/redis.ts";

const COMMANDS: Readonly<Record<Effort, number>> = { quick: 10_000, normal: 50_000, full: 200_000 };
const BATCH = 128;
const TOPICS = 10_000;
/** A change of a session. */
const PAYLOAD = "x".repeat(120);
/** What a change would be: the next number of the topic, the state, and the news for those who follow it. */
const SCRIPT =
  "local n = redis.call('INCR', KEYS[1]) redis.call('HSET', KEYS[2], ARGV[1], ARGV[2]) " +
  "redis.call('SPUBLISH', KEYS[3], n .. ' ' .. ARGV[2]) return n";
const SHA = createHash("sha1").update(SCRIPT).digest("hex");

const COST = "CPU µs of Redis";
const TOPICS_AT_ONCE = 100;

interface Case {
  readonly name: string;
  /** Connections that are subscribed to every topic that the commands publish to. */
  readonly receivers: number;
  command(i: number): readonly string[];
}

const topic = (i: number) => `{${i % TOPICS}}`;
/** Few topics, so that receivers can subscribe to all. */
const followed = (i: number) => `{${i % 100}}`;

const CASES: readonly Case[] = [
  ...[0, 1, 10].map((receivers) => ({
    name: `SPUBLISH, ${receivers} receivers`,
    receivers,
    command: (i: number) => ["SPUBLISH", followed(i), PAYLOAD],
  })),
  {
    name: "HSET",
    receivers: 0,
    command: (i) => ["HSET", `state:${topic(i)}`, `session-${i % (10 * TOPICS)}`, PAYLOAD],
  },
  {
    name: "XADD with MAXLEN",
    receivers: 0,
    command: () => ["XADD", "log", "MAXLEN", "~", "10000", "*", "d", PAYLOAD],
  },
  {
    name: "script of INCR, HSET, SPUBLISH",
    receivers: 0,
    command: (i) => [
      "EVALSHA",
      SHA,
      "3",
      `sequence:${topic(i)}`,
      `state:${topic(i)}`,
      topic(i),
      `session-${i % (10 * TOPICS)}`,
      PAYLOAD,
    ],
  },
];

export const redisCosts: Scenario = {
  name: "redis-costs",
  question: "What would a change cost Redis, if nodes followed only what is watched on them?",
  method:
    `Commands with ${PAYLOAD.length} bytes, ${BATCH} at a time on one connection, on 10,000 topics (100 ` +
    "where there may be receivers). CPU is that of Redis, from INFO. Subscriptions: those of a second " +
    "connection to topics that another one follows, 100 in a command. One Redis, not a cluster.",
  rounds: { quick: 1, normal: 3, full: 3 },
  warmUps: 1,
  onlyInFullRuns: true,
  targets: [],
  async contenders({ effort, addNote }) {
    const version = redisVersion();
    addNote(version ?? "Redis is missing: apt-get install redis-server");
    if (version === undefined) return [];
    const commands = await Promise.all(CASES.map((each) => contender(each, COMMANDS[effort])));
    return [...commands, await subscribing(COMMANDS[effort])];
  },
};

async function contender({ name, receivers, command }: Case, count: number): Promise<Contender> {
  const redis = await MeasuredRedis.start();
  const port = Number(new URL(redis.url).port);
  const pipe = await RedisPipe.open(port);
  await pipe.send([["SCRIPT", "LOAD", SCRIPT]]);
  const subscribers: RedisPipe[] = [];
  for (let i = 0; i < receivers; i++) {
    const subscriber = await RedisPipe.open(port);
    await subscriber.subscribe(Array.from({ length: 100 }, (_, i) => followed(i)));
    subscribers.push(subscriber);
  }
  return {
    name,
    async round() {
      const before = await redis.usage();
      for (let i = 0; i < count; i += BATCH)
        await pipe.send(Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => command(i + j)));
      const after = await redis.usage();
      return { [COST]: (after.cpuMicros - before.cpuMicros) / count };
    },
    async close() {
      for (const each of [pipe, ...subscribers]) each.close();
      await redis.stop();
    },
  };
}

/** A second node subscribes to topics that a first one follows, and drops them. */
async function subscribing(count: number): Promise<Contender> {
  const redis = await MeasuredRedis.start();
  const port = Number(new URL(redis.url).port);
  const [first, second] = [await RedisPipe.open(port), await RedisPipe.open(port)];
  const batches = Array.from({ length: count / TOPICS_AT_ONCE }, (_, batch) =>
    Array.from({ length: TOPICS_AT_ONCE }, (_, i) => `{user-${batch * TOPICS_AT_ONCE + i}}`),
  );
  for (const topics of batches) await first.subscribe(topics);
  return {
    name: "SSUBSCRIBE, and SUNSUBSCRIBE",
    async round() {
      const before = await redis.usage();
      const memoryBefore = await redis.memoryBytes();
      for (const topics of batches) await second.subscribe(topics);
      const memoryBytes = (await redis.memoryBytes()) - memoryBefore;
      for (const topics of batches) await second.unsubscribe(topics);
      const { cpuMicros } = await redis.usage();
      return { [COST]: (cpuMicros - before.cpuMicros) / count, "bytes in Redis": memoryBytes / count };
    },
    async close() {
      for (const each of [first, second]) each.close();
      await redis.stop();
    },
  };
}
