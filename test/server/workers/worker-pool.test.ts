import { setTimeout as delay } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { FromWorker, ToWorker } from "../../../src/server/workers/messages.ts";
import { type WorkerEvents, WorkerPool } from "../../../src/server/workers/worker-pool.ts";
import { HandClock } from "../../support/hand-clock.ts";

const PORT = 8_080;
const SILENCE_MS = 10_000;
const WINDOW_MS = 15_000;

/** A process that the test plays. */
class FakeWorker {
  readonly sent: ToWorker[] = [];
  isKilled = false;
  readonly number: number;
  readonly #events: WorkerEvents;

  constructor(number: number, events: WorkerEvents) {
    this.number = number;
    this.#events = events;
  }

  say(...messages: FromWorker[]): void {
    for (const message of messages) this.#events.message(message);
  }

  /** Says all that a worker says until it is ready. */
  start(port = PORT): void {
    this.say({ type: "hello" }, { type: "listening", port }, { type: "ready" });
  }

  end(how = "SIGKILL"): void {
    this.#events.ended(how);
  }

  /** What it was told, of one type. */
  told<Type extends ToWorker["type"]>(type: Type): Extract<ToWorker, { type: Type }>[] {
    return this.sent.filter((message): message is Extract<ToWorker, { type: Type }> => message.type === type);
  }
}

const pools: WorkerPool[] = [];
afterEach(() => {
  for (const pool of pools.splice(0)) pool.end();
});

class TestClock extends HandClock {
  #turned = 0;
  reads = 0;
  override now(): number {
    this.reads++;
    return super.now() + this.#turned;
  }
  pass(ms: number): void {
    this.#turned += ms;
  }
}

function world(size = 2, port = PORT) {
  /** Numbers of workers that the system does not start. */
  const refused = new Set<number>();
  const clock = new TestClock();
  const forked: FakeWorker[] = [];
  const log: string[] = [];
  const left: number[] = [];
  const pool = new WorkerPool({
    size,
    port,
    silenceMs: SILENCE_MS,
    clientsReturnMs: WINDOW_MS,
    clock,
    log: {
      info: (_details, text) => void log.push(text),
      warn: (_details, text) => void log.push(text),
      error: (details, text) => void log.push(`${text}: ${JSON.stringify(details)}`),
    },
    crashed: (error) => expect.fail(String(error)),
    apps: () => ({ appsText: "[]", demoSecret: undefined }),
    summarize: async ({ about }, answers) => [about, ...answers.values()],
    left: (number) => void left.push(number),
    spawn: (number, events) => {
      if (refused.has(number)) throw new Error("spawn ENOMEM");
      const worker = new FakeWorker(number, events);
      forked.push(worker);
      return {
        nodeId: `node-${number}`,
        pid: 1_000 + number,
        send: (message) => void worker.sent.push(message),
        kill: () => {
          worker.isKilled = true;
        },
      };
    },
  });
  pools.push(pool);
  const run = (ms = 0) => {
    clock.pass(ms);
    pool.run(clock.now());
  };
  /** Starts all workers. */
  const startAll = () => {
    run();
    forked[0]!.start();
    run();
    for (const worker of forked.slice(1)) worker.start();
    return forked.slice(0, size);
  };
  return { pool, clock, forked, log, left, refused, run, startAll };
}

describe("a pool of workers", () => {
  it("starts one, and the others on its port once it listens; it is whole when all are ready", async () => {
    const { pool, forked, run, log } = world(3, 0);
    run();
    expect(forked.map(({ number }) => number)).toEqual([1]);
    const [first] = forked;
    expect(first!.sent).toEqual([]);
    first!.say({ type: "hello" });
    expect(first!.told("start")).toEqual([
      {
        type: "start",
        number: 1,
        workers: 3,
        nodeId: "node-1",
        port: 0,
        appsText: "[]",
        demoSecret: undefined,
        clientsReturnMs: WINDOW_MS,
        state: { wasWhole: false, isMissing: true },
      },
    ]);
    run();
    expect(forked).toHaveLength(1);
    first!.say({ type: "listening", port: 4_711 });
    run();
    expect(forked.map(({ number }) => number)).toEqual([1, 2, 3]);
    first!.say({ type: "ready" });
    forked[1]!.start(4_711);
    expect([pool.ready, first!.told("state"), log.includes("all workers are ready")]).toEqual([2, [], false]);
    forked[2]!.start(4_711);
    expect(await pool.whole).toBe(4_711);
    expect(forked.map((worker) => worker.told("start")[0]!.port)).toEqual([0, 4_711, 4_711]);
    for (const worker of forked) {
      expect(worker.told("state")).toEqual([{ type: "state", wasWhole: true, isMissing: false }]);
    }
    expect(pool.restarts).toBe(0);
  });

  it("starts a worker again that has ended, later each time, and says meanwhile that one is missing", () => {
    const { pool, forked, run, startAll, left } = world();
    const [one, two] = startAll();
    two!.end();
    expect(one!.told("state").at(-1)).toEqual({ type: "state", wasWhole: true, isMissing: true });
    run();
    expect(forked[2]!.number).toBe(2);
    forked[2]!.start();
    expect(forked[2]!.told("start")[0]!.state).toEqual({ wasWhole: true, isMissing: true });
    expect(one!.told("state").at(-1)).toEqual({ type: "state", wasWhole: true, isMissing: false });
    forked[2]!.end();
    run(499);
    expect(forked).toHaveLength(3);
    run(1);
    expect(forked).toHaveLength(4);
    expect([pool.restarts, left]).toEqual([2, [2, 2]]);
    // What it was asked before it ended concerns nobody any more.
    forked[2]!.say({ type: "ready" });
    expect(pool.ready).toBe(1);
  });

  it("tells a worker that starts later for how long clients may still come back", () => {
    const { forked, run, startAll } = world();
    startAll()[1]!.end();
    run(WINDOW_MS - 1);
    forked[2]!.say({ type: "hello" });
    expect(forked[2]!.told("start")[0]!.clientsReturnMs).toBe(1);
    run(WINDOW_MS);
  });

  it("ends a worker that is silent, and no other", () => {
    const { run, startAll } = world();
    const [one, two] = startAll();
    run(SILENCE_MS - 1);
    one!.say({ type: "alive" });
    run(1);
    expect([one!.isKilled, two!.isKilled]).toEqual([false, true]);
  });

  it("waits a minute for a worker that loads its code", () => {
    const { forked, run, startAll } = world();
    startAll()[1]!.end();
    run();
    const [one, , again] = forked;
    for (let seconds = 1; seconds < 60; seconds++) {
      run(1_000);
      one!.say({ type: "alive" });
    }
    expect(again!.isKilled).toBe(false);
    run(1_000);
    expect(again!.isKilled).toBe(true);
  });

  it.each<[string, (worker: FakeWorker) => void, string]>([
    [
      "cannot run",
      (worker) => worker.say({ type: "failed", message: "no port", concernsAll: false }),
      "no port",
    ],
    ["ends before it listens", (worker) => worker.end("exit code 1"), "ended while it started (exit code 1)"],
  ])("fails if the first worker %s", async (_name, act, expected) => {
    const { pool, forked, run } = world();
    run();
    act(forked[0]!);
    expect(await pool.failed).toContain(expected);
    forked[0]!.end();
    pool.stop();
    await pool.stopped;
    expect(forked).toHaveLength(1);
  });

  it("logs a defect of a worker that starts, and fails for one of the first worker", async () => {
    const { pool, forked, run, log } = world();
    const defect = { type: "failed", message: "oops", concernsAll: false, stack: "TypeError: oops" } as const;
    const line = (worker: number) =>
      `a worker crashed while it started: a defect: {"worker":${worker},"stack":"TypeError: oops"}`;
    run();
    forked[0]!.say({ type: "hello" }, { type: "listening", port: PORT });
    run();
    forked[1]!.say({ type: "hello" }, defect);
    expect(log).toContain(line(2));
    forked[1]!.end("exit code 1");
    run();
    expect(forked).toHaveLength(3);
    pool.stop();

    const first = world();
    first.run();
    first.forked[0]!.say(defect);
    expect(await first.pool.failed).toBe("a worker crashed while it started: oops");
    expect(first.log).toContain(line(1));
  });

  it("fails if the system does not start the first worker, and tries again with a later one", async () => {
    const first = world();
    first.refused.add(1);
    first.run();
    expect(await first.pool.failed).toBe("a worker ended while it started (spawn ENOMEM)");
    const { pool, forked, refused, run } = world();
    run();
    forked[0]!.start();
    refused.add(2);
    run();
    run();
    refused.clear();
    run(499);
    expect([forked.length, pool.restarts]).toEqual([1, 2]);
    run(1);
    expect(forked.map(({ number }) => number)).toEqual([1, 2]);
  });

  it("goes on if a later worker cannot start, and fails for what concerns all", async () => {
    const { pool, forked, run, startAll, log } = world();
    const [one, two] = startAll();
    two!.say({ type: "failed", message: "no memory", concernsAll: false });
    two!.end();
    expect(log).toContain("a worker cannot start");
    run();
    expect(forked).toHaveLength(3);
    one!.say({ type: "failed", message: "NODE_ID is taken", concernsAll: true });
    expect(await pool.failed).toBe("NODE_ID is taken");
  });

  it("asks all workers for one of them, and goes on without one that hangs", async () => {
    const { run, startAll } = world(3);
    const [one, two, three] = startAll();
    two!.say({ type: "question", id: 7, question: { about: "stats", appId: "app" } });
    for (const [worker, answer] of [
      [one, "a"],
      [two, "b"],
    ] as const) {
      const [{ id, question }] = worker!.told("question") as unknown as [{ id: number; question: object }];
      expect(question).toEqual({ about: "stats", appId: "app" });
      worker!.say({ type: "answer", id, answer });
    }
    expect(three!.told("question")).toHaveLength(1);
    run(1_000);
    await expect
      .poll(() => two!.told("answers"))
      .toEqual([{ type: "answers", id: 7, answers: ["stats", "a", "b"] }]);
    expect([one!.told("answers"), three!.told("answers")]).toEqual([[], []]);
  });

  it("counts no answer of a worker that ends meanwhile, and gives no answer to the one after it", async () => {
    const { forked, run, startAll } = world(3);
    const [one, two, three] = startAll();
    for (const [worker, id] of [
      [one, 7],
      [two, 1],
    ] as const) {
      worker!.say({ type: "question", id, question: { about: "metrics" } });
    }
    const answer = (worker: FakeWorker, text: string) => {
      for (const { id } of worker.told("question")) worker.say({ type: "answer", id, answer: text });
    };
    answer(one!, "a");
    answer(two!, "of one that ends");
    two!.end();
    run();
    forked[3]!.start();
    answer(three!, "c");
    await expect
      .poll(() => one!.told("answers"))
      .toEqual([{ type: "answers", id: 7, answers: ["metrics", "a", "c"] }]);
    expect([forked[3]!.number, forked[3]!.told("answers")]).toEqual([2, []]);
  });

  it("tells each worker what the others have counted, once it has taken what came before", () => {
    const { run, startAll } = world();
    const [one, two] = startAll();
    one!.say({ type: "counts", report: { held: ["a", 1], taken: [] } });
    expect(one!.told("counts-taken")).toHaveLength(1);
    run(100);
    one!.say({ type: "counts", report: { held: ["a", 1], taken: [] } });
    run(100);
    expect(two!.told("counts")).toEqual([{ type: "counts", report: { held: ["a", 1], taken: [] } }]);
    two!.say({ type: "counts-taken" });
    run(100);
    expect(two!.told("counts")).toHaveLength(2);
    one!.end();
    two!.say({ type: "counts-taken" });
    run(100);
    expect(two!.told("counts").at(-1)!.report.held).toEqual(["a", -2]);
  });

  it("stops when all have ended, and starts none again", async () => {
    const { pool, forked, run, startAll } = world();
    const [one, two] = startAll();
    pool.stop();
    pool.stop();
    for (const worker of [one, two]) expect(worker!.told("stop")).toHaveLength(2);
    let isStopped = false;
    void pool.stopped.then(() => {
      isStopped = true;
    });
    one!.end("exit code 0");
    run(60_000);
    await Promise.resolve();
    expect([isStopped, forked.length]).toEqual([false, 2]);
    two!.end("exit code 0");
    await pool.stopped;
  });

  it("waits without work while it stops, also where a worker was to be started again", async () => {
    const { pool, clock, forked, run, startAll } = world();
    startAll()[1]!.end();
    run();
    forked[2]!.end();
    pool.stop();
    run(600);
    expect(forked).toHaveLength(3);
    const { reads } = clock;
    await delay(100);
    expect(clock.reads - reads).toBeLessThan(20);
  });

  it("ends a worker that hangs while all stop, and the second time all that do not end", async () => {
    const { pool, run, startAll } = world();
    const [one, two] = startAll();
    pool.stop();
    run(4_999);
    one!.say({ type: "alive" });
    run(1);
    expect([one!.isKilled, two!.isKilled]).toEqual([false, true]);
    two!.end();
    pool.stop();
    run(1_000);
    pool.stop();
    one!.say({ type: "alive" });
    run(999);
    expect(one!.isKilled).toBe(false);
    run(1);
    expect(one!.isKilled).toBe(true);
    one!.end();
    await pool.stopped;
  });

  it("has a worker stop that was only just started", () => {
    const { pool, forked, run } = world();
    run();
    pool.stop();
    expect(forked[0]!.sent).toEqual([]);
    forked[0]!.say({ type: "hello" });
    expect(forked[0]!.sent.map(({ type }) => type)).toEqual(["start", "stop"]);
  });

  it("tells all, or one that listens", () => {
    const { pool, startAll } = world();
    const [one, two] = startAll();
    pool.broadcast({ type: "apps", text: "[]" });
    one!.end();
    expect(pool.tellOne({ type: "apps-failed", reason: "bad" })).toBe(true);
    expect([one!.told("apps").length, two!.told("apps").length]).toEqual([1, 1]);
    expect(two!.told("apps-failed")).toEqual([{ type: "apps-failed", reason: "bad" }]);
    two!.end();
    expect(pool.tellOne({ type: "apps-failed", reason: "bad" })).toBe(false);
  });
});
