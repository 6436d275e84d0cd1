import { afterEach, expect, it } from "vitest";
import { RedisConnection } from "../../../src/server/cluster/redis-connection.ts";
import { FakeRedis, type Reply } from "../../support/fake-redis.ts";

const PATIENT_MS = 60_000;
let redis: FakeRedis;

afterEach(() => redis.stop());

async function connect(reply: Reply): Promise<RedisConnection> {
  redis = await FakeRedis.start(reply);
  return await RedisConnection.open(redis.url);
}

it("asks nothing but what it is told to ask", async () => {
  const connection = await connect(() => ":7\r\n");
  expect(await connection.ask(["HGET", "key", "field"], PATIENT_MS)).toBe(7);
  expect(redis.commands).toEqual([["HGET", "key", "field"]]);
  connection.close();
  await expect(connection.ended).rejects.toThrow("closed");
});

it("ends with an error reply, as it is unknown then what was done", async () => {
  const connection = await connect(() => "-ERR no\r\n");
  await expect(connection.ask(["SET", "a", "1"], PATIENT_MS)).rejects.toThrow("ERR no");
  await expect(connection.ended).rejects.toThrow("ERR no");
  await expect.poll(() => redis.connections).toBe(0);
});

it("ends if a reply does not come in time", async () => {
  const connection = await connect(() => undefined);
  await expect(connection.ask(["GET", "a"], 1)).rejects.toThrow();
  await expect(connection.ended).rejects.toThrow("Redis did not reply to GET within 1 ms");
});

it("ends with its connection, and is not repaired", async () => {
  const connection = await connect(() => undefined);
  const asked = connection.ask(["GET", "a"], PATIENT_MS);
  asked.catch(() => {});
  await expect.poll(() => redis.commands).toHaveLength(1);
  redis.disconnect();
  await expect(asked).rejects.toThrow();
  await expect(connection.ended).rejects.toThrow();
  await expect.poll(() => redis.connections).toBe(0);
  expect(redis.accepted).toBe(1);
});
