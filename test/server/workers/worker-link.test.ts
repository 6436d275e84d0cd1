import { afterEach, describe, expect, it, vi } from "vitest";
import type { FromWorker, StartMessage } from "../../../src/server/workers/messages.ts";
import { WorkerLink } from "../../../src/server/workers/worker-link.ts";

const START: StartMessage = {
  type: "start",
  number: 2,
  workers: 4,
  nodeId: "node-2",
  port: 8_080,
  appsText: undefined,
  demoSecret: undefined,
  clientsReturnMs: 500,
  state: { wasWhole: false, isMissing: true },
};

const links: WorkerLink[] = [];
afterEach(() => {
  for (const link of links.splice(0)) link.close();
  vi.useRealTimers();
});

function world() {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
  const sent: FromWorker[] = [];
  const crashes: unknown[] = [];
  let now = 0;
  const link = new WorkerLink({
    send: (message) => void sent.push(message),
    now: () => now,
    crashed: (error) => void crashes.push(error),
  });
  links.push(link);
  const pass = (ms: number) => {
    now += ms;
    vi.advanceTimersByTime(ms);
  };
  const told = <Type extends FromWorker["type"]>(type: Type) =>
    sent.filter((message): message is Extract<FromWorker, { type: Type }> => message.type === type);
  return { link, sent, told, pass, crashes };
}

describe("the connection of a worker", () => {
  it("has what the first process tells it, and shows each second that the worker lives", async () => {
    const { link, told, pass } = world();
    link.receive(START);
    expect(await link.started).toBe(START);
    expect([link.workers, link.clientsReturnMs, link.wasWhole, link.isMissing]).toEqual([
      4,
      500,
      false,
      true,
    ]);
    link.receive({ type: "state", wasWhole: true, isMissing: false });
    expect([link.wasWhole, link.isMissing]).toEqual([true, false]);
    pass(3_000);
    expect(told("alive")).toHaveLength(3);
  });

  it("says how far the worker has come", () => {
    const { link, sent } = world();
    link.listening(8_080);
    link.ready();
    link.failed({ message: "no port", concernsAll: false });
    expect(sent).toEqual([
      { type: "listening", port: 8_080 },
      { type: "ready" },
      { type: "failed", message: "no port", concernsAll: false },
    ]);
  });

  it("keeps what comes before there is somebody who does it", () => {
    const { link } = world();
    const done: string[] = [];
    link.receive({ type: "apps", text: "[1]" });
    link.receive({ type: "stop" });
    link.handleWith({
      apps: (text) => void done.push(text),
      appsFailed: (reason) => void done.push(reason),
      stop: () => void done.push("stop"),
    });
    link.receive({ type: "apps-failed", reason: "bad" });
    expect(done).toEqual(["[1]", "stop", "bad"]);
  });

  it("answers questions, and a defect is an answer too", async () => {
    const { link, told, crashes } = world();
    link.receive({ type: "question", id: 1, question: { about: "metrics" } });
    await expect.poll(() => told("answer")).toEqual([{ type: "answer", id: 1, answer: undefined }]);
    link.serve({
      answer: async (question) => {
        if (question.about === "metrics") throw new Error("a defect");
        return question.appId;
      },
      takenByOthers: () => {},
    });
    link.receive({ type: "question", id: 2, question: { about: "stats", appId: "app" } });
    link.receive({ type: "question", id: 3, question: { about: "metrics" } });
    await expect.poll(() => told("answer").length).toBe(3);
    expect(told("answer").slice(1)).toEqual([
      { type: "answer", id: 2, answer: "app" },
      { type: "answer", id: 3, answer: undefined },
    ]);
    expect(crashes).toHaveLength(1);
  });

  it("asks all workers, and has no more than two alike questions under way", async () => {
    const { link, told } = world();
    const stats = { sockets: 1, subscriptions: 1, views: 1, webhooks: [] };
    const asked = [link.readStats("app"), link.readStats("app"), link.readStats("app")];
    const other = link.readMetrics();
    expect(told("question").map(({ question }) => question.about)).toEqual(["stats", "metrics"]);
    link.receive({ type: "answers", id: 2, answers: [{ contentType: "text", text: "presence_x 1" }] });
    expect((await other)?.text).toBe("presence_x 1");
    // JSON has null for what is undefined.
    link.receive({ type: "answers", id: 1, answers: [stats, null, stats] });
    expect((await asked[0]!).sockets).toBe(2);
    await expect.poll(() => told("question").length).toBe(3);
    link.receive({ type: "answers", id: 3, answers: [stats] });
    expect((await Promise.all(asked.slice(1))).map(({ sockets }) => sockets)).toEqual([1, 1]);
    expect(told("question")).toHaveLength(3);
  });

  it("answers for itself, and waits no longer than 3 s, if the first process hangs", async () => {
    const { link, told, pass } = world();
    const own = { sockets: 7, subscriptions: 2, views: 1, webhooks: [] };
    link.serve({ answer: () => own, takenByOthers: () => {} });
    const stats = link.readStats("app");
    const metrics = link.readMetrics();
    let isDone = false;
    void stats.then(() => {
      isDone = true;
    });
    pass(2_999);
    await Promise.resolve();
    expect(isDone).toBe(false);
    pass(1);
    expect((await stats).sockets).toBe(7);
    expect(await metrics).toBeUndefined();
    // An answer that comes too late is nobody's.
    link.receive({ type: "answers", id: 1, answers: [{ ...own, sockets: 9 }] });
    const next = link.readStats("app");
    const { id } = told("question").at(-1)!;
    link.receive({ type: "answers", id, answers: [own, own] });
    expect((await next).sockets).toBe(14);
  });

  it("reports counts every 50 ms at most, and when the report before was taken", () => {
    const { link, told, pass } = world();
    link.hold("a", 1);
    link.hold("a", 1);
    link.take("t", 1);
    pass(1);
    expect(told("counts")).toEqual([{ type: "counts", report: { held: ["a", 2], taken: ["t", 1] } }]);
    link.hold("a", -1);
    pass(1_000);
    expect(told("counts")).toHaveLength(1);
    link.receive({ type: "counts-taken" });
    link.hold("a", -1);
    pass(1);
    expect(told("counts").at(-1)!.report.held).toEqual(["a", -2]);
    link.receive({ type: "counts-taken" });
    link.hold("b", 1);
    pass(49);
    expect(told("counts")).toHaveLength(2);
    pass(1);
    expect(told("counts")).toHaveLength(3);
  });

  it("knows what the others hold, and says what they have taken", () => {
    const { link, told } = world();
    const taken: [string, number][] = [];
    link.serve({ answer: () => {}, takenByOthers: (key, amount) => void taken.push([key, amount]) });
    link.receive({ type: "counts", report: { held: ["a", 2, "b", 1], taken: ["t", 3] } });
    link.receive({ type: "counts", report: { held: ["b", -1], taken: [] } });
    expect([link.heldByOthers("a"), link.heldByOthers("b"), taken]).toEqual([2, 0, [["t", 3]]]);
    expect(told("counts-taken")).toHaveLength(2);
  });
});
