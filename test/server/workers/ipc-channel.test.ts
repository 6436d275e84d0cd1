import { EventEmitter } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IpcEndpoint, ipcChannel } from "../../../src/server/workers/ipc-channel.ts";
import { until } from "../../support/until.ts";
import { ForkedWorker, WorkerProgram } from "./forked-workers.ts";
import { serveLogs } from "./served-logs.ts";

class FakeEndpoint extends EventEmitter implements IpcEndpoint {
  connected = true;
  readonly sent: unknown[] = [];

  send(message: unknown, sent: (error: Error | null) => void): boolean {
    this.sent.push(message);
    sent(new Error("the other process has gone"));
    return false;
  }
}

it("channels over one connection are told apart by their topic", () => {
  const endpoint = new FakeEndpoint();
  const taken: unknown[] = [];
  const [log, stats] = [ipcChannel(endpoint, "log"), ipcChannel(endpoint, "stats")];
  log.onMessage((message) => taken.push({ log: message }));
  stats.onMessage((message) => taken.push({ stats: message }));
  for (const message of [["log", 1], ["stats", null], ["other", 2], "log", ["log"], ["log", 1, 2], null])
    endpoint.emit("message", message);
  expect(taken).toEqual([{ log: 1 }, { stats: null }]);
  log.send([5]);
  expect(endpoint.sent).toEqual([["log", [5]]]);
});

it("a channel that closes says so once, and sends nothing any more", async () => {
  const endpoint = new FakeEndpoint();
  let closes = 0;
  const channel = ipcChannel(endpoint, "log");
  channel.onClose(() => closes++);
  endpoint.emit("disconnect");
  endpoint.emit("disconnect");
  expect(closes).toBe(1);
  endpoint.connected = false;
  channel.send(1);
  expect(endpoint.sent).toEqual([]);
  const late = ipcChannel(endpoint, "log");
  late.onClose(() => closes++);
  expect(closes).toBe(1);
  await turn();
  expect(closes).toBe(2);
});

describe.each(["json", "advanced"] as const)(
  "two workers in processes of their own, with %s",
  (serialization) => {
    let program: WorkerProgram;
    beforeAll(async () => {
      program = await WorkerProgram.build();
    });
    afterAll(() => program.remove());

    it("show each other's sessions, take them over, and outlive each other", async ({ onTestFinished }) => {
      const { server, problems } = serveLogs();
      const workers: ForkedWorker[] = [];
      onTestFinished(async () => {
        await Promise.all(workers.map((worker) => worker.kill()));
      });
      const start = async (nodeId: string) => {
        const worker = new ForkedWorker(program, nodeId, server, serialization);
        workers.push(worker);
        await until(async () => (await worker.do("report")).isReady);
        return worker;
      };
      const [a, b] = [await start("a"), await start("b")];
      const shown = async (worker: ForkedWorker) => (await worker.do("report")).shown;
      const alice = (await a.do("open", "alice", { selectedConversationId: "c1" })).shown.alice!;
      await until(async () => (await shown(b)).alice?.conversation === "c1");
      await a.do("update", alice.sessionId, { selectedConversationId: "c2" });
      await b.do("open", "bob", {});
      await until(async () => (await shown(b)).alice?.conversation === "c2");
      await until(async () => (await shown(a)).bob !== undefined);
      // Bob's client reconnects, and comes to the other worker.
      const bob = (await shown(a)).bob!;
      await a.do("resume", bob.sessionId);
      await a.do("update", bob.sessionId, { selectedConversationId: "c3" });
      await until(async () => (await shown(b)).bob?.conversation === "c3");

      await b.do("open", "carol", {});
      await until(async () => (await shown(a)).carol !== undefined);
      await b.kill();
      // Carol comes back in time, to the worker that is left. Nobody else was on the one that died.
      const carol = (await shown(a)).carol!;
      await until(async () => (await a.do("report")).log.some((line) => line.startsWith("a node has left")));
      await a.do("resume", carol.sessionId);
      const again = await start("b");
      await until(async () => Object.keys(await shown(again)).length === 3);
      const { carol: there } = await shown(again);
      expect(there?.sessionId).toBe(carol.sessionId);

      await a.kill();
      // Nobody comes back.
      await until(async () => Object.keys(await shown(again)).length === 0);
      expect(problems).toEqual([]);
      expect((await again.do("report")).log.filter((line) => line.startsWith("crashed"))).toEqual([]);
    });
  },
);
