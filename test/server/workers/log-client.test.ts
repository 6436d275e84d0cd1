import { describe, expect, it } from "vitest";
import { LogClient } from "../../../src/server/workers/log-client.ts";
import { until } from "../../support/until.ts";
import { testLog } from "../cluster/log-contract.ts";
import { ChannelEnd } from "./channel-pair.ts";
import { serveLogs } from "./served-logs.ts";

testLog("a log behind a channel", {
  isStrict: true,
  makeLog: async () => {
    const { start } = serveLogs();
    const logs = new Map(
      await Promise.all(["n1", "n2"].map(async (id) => [id, await start(id).client.open(0)] as const)),
    );
    return { at: (writer) => logs.get(writer.slice(0, 2))! };
  },
});

const STATUS = { do: "readStatus", at: undefined } as const;

describe("a log behind a channel", () => {
  it("has one log for each shard", async () => {
    const { client } = serveLogs({ shards: 2 }).start("n");
    const [first, second] = [await client.open(0), await client.open(1)];
    await first.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
    expect((await first.readStatus(STATUS)).end.count).toBe(1);
    expect((await second.readStatus(STATUS)).end.count).toBe(0);
  });

  it("is asked with one message a turn, and acknowledges what has come", async () => {
    const { client, worker } = serveLogs().start("n");
    const log = await client.open(0);
    worker.sent.length = 0;
    await Promise.all([log.readStatus(STATUS), log.scan({ do: "scan", from: "0" }), log.readStatus(STATUS)]);
    expect(worker.sent).toHaveLength(1);
    await log.readStatus(STATUS);
    expect(worker.sent).toEqual([
      [1, [2, 0, "readStatus", null], [3, 0, "scan", "0"], [4, 0, "readStatus", null]],
      [2, [5, 0, "readStatus", null]],
    ]);
  });

  it("that nobody reads for a while gets no more than fits into memory, and all of it in the end", async () => {
    const { start } = serveLogs();
    const [writer, reader] = [start("w"), start("r")];
    const [to, from] = [await writer.client.open(0), await reader.client.open(0)];
    await to.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "w", formerly: [] });
    const text = "x".repeat(100_000);
    const read = [...(await from.read("0-0"))];
    for (let seq = 1; seq <= 200; seq++)
      await to.append({ do: "append", writer: "w", seq, ops: [{ kind: "open", sessionId: "s", text }] });
    const sent = JSON.stringify(reader.primary.sent).length;
    expect(sent).toBeGreaterThan(4e6);
    expect(sent).toBeLessThan(6e6);
    while (read.length < 201) read.push(...(await from.read(read.at(-1)!.id)));
    expect(read.map(({ id }) => id)).toEqual(Array.from({ length: 201 }, (_, i) => `${i + 1}-0`));
  });

  it("is read on from any entry, and only the last read waits", async () => {
    const { client, worker } = serveLogs().start("n");
    const log = await client.open(0);
    await log.join({ do: "join", writer: "w", leaseMs: 1_000, nodeId: "n", formerly: [] });
    for (let seq = 1; seq <= 3; seq++) await log.append({ do: "append", writer: "w", seq, ops: [] });
    const ids = async (after: string) => (await log.read(after)).map(({ id }) => id);
    expect(await ids("0-0")).toEqual(["1-0", "2-0", "3-0", "4-0"]);
    expect(await ids("2-0")).toEqual(["3-0", "4-0"]);
    const [first, second] = [log.read("4-0"), log.read("3-0")];
    expect(await first).toEqual([]);
    expect(await second).toHaveLength(1);
    // What was pushed comes without being asked for.
    const next = log.read("4-0");
    const calls = () => worker.sent.filter((message) => JSON.stringify(message).includes("follow")).length;
    const before = calls();
    await log.append({ do: "append", writer: "w", seq: 4, ops: [] });
    expect(await next).toHaveLength(1);
    await log.append({ do: "append", writer: "w", seq: 5, ops: [] });
    expect(await ids("5-0")).toEqual(["6-0"]);
    expect(calls()).toBe(before);
  });

  it("ends when the first process does, and cannot be opened any more", async () => {
    const { client, worker } = serveLogs().start("n");
    const log = await client.open(0);
    const read = log.read("0-0");
    worker.close();
    await expect(read).rejects.toThrow("the first process has ended");
    await expect(log.ended).rejects.toThrow("the first process has ended");
    await expect(client.open(0)).rejects.toThrow("the first process has ended");
  });

  it("ends when an answer does not come in time", async () => {
    const { client, primary } = serveLogs().start("n");
    const log = await client.open(0);
    primary.isMute = true;
    await expect(log.readStatus(STATUS)).rejects.toThrow("the first process did not answer in time");
    await expect(log.ended).rejects.toThrow("the first process did not answer in time");
    // Until it answers again, it is asked for nothing but its status.
    const answered = primary.sent.length;
    const opened = client.open(0);
    opened.catch(() => {});
    await until(() => primary.sent.length > answered);
    primary.isMute = false;
    await expect(opened).rejects.toThrow("in time");
    expect(await (await client.open(0)).readStatus(STATUS)).toMatchObject({ end: { count: 0 } });
  });

  it("that is closed answers nobody, and the others go on", async () => {
    const { client } = serveLogs().start("n");
    const [one, other] = [await client.open(0), await client.open(0)];
    const asked = one.readStatus(STATUS);
    one.close();
    await expect(asked).rejects.toThrow("closed");
    await expect(one.ended).rejects.toThrow("closed");
    expect(await other.readStatus(STATUS)).toMatchObject({ end: { count: 0 } });
  });

  it("whose first process was never there cannot be opened", async () => {
    const [worker] = ChannelEnd.pair();
    await expect(new LogClient(worker).open(0)).rejects.toThrow("in time");
  });
});
