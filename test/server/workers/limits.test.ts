import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { SubscriptionCharges } from "../../../src/server/gateway/subscription-charges.ts";
import { UserBudget } from "../../../src/server/gateway/user-budget.ts";
import {
  ANONYMOUS_BURST,
  ANONYMOUS_PER_SECOND,
  AnonymousRequests,
} from "../../../src/server/http/anonymous-requests.ts";
import { CountsExchange } from "../../../src/server/workers/counts-exchange.ts";
import type { FromWorker } from "../../../src/server/workers/messages.ts";
import { WorkerLink } from "../../../src/server/workers/worker-link.ts";
import { bareNode } from "../../support/bare-node.ts";
import { testTelemetry } from "../../support/stubs.ts";

/** What the contract allows for: so long after something was counted, all workers know it. */
const KNOWN_MS = 250;
const STEP_MS = 10;
const APP = "app";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Nodes that tell each other what they count, as workers do. Each message takes a step. */
function world(workers: number, env: Record<string, string> = {}) {
  let now = 0;
  const onWay: (() => void)[] = [];
  const links: WorkerLink[] = [];
  const anonymous: AnonymousRequests[] = [];
  const exchange = new CountsExchange((worker, report) =>
    onWay.push(() => links[worker]!.receive({ type: "counts", report })),
  );
  const nodes = Array.from({ length: workers }, (_, worker) => {
    const take = (message: FromWorker) => {
      if (message.type === "counts-taken") exchange.acknowledged(worker);
      if (message.type !== "counts") return;
      exchange.reported(worker, message.report);
      onWay.push(() => links[worker]!.receive({ type: "counts-taken" }));
    };
    const link = new WorkerLink({
      send: (message) => onWay.push(() => take(message)),
      now: () => now,
      crashed: (error) => expect.fail(String(error)),
    });
    links.push(link);
    exchange.add(worker);
    link.receive({
      type: "start",
      number: worker + 1,
      workers,
      nodeId: "node",
      port: 0,
      appsText: undefined,
      demoSecret: undefined,
      clientsReturnMs: 0,
      state: { wasWhole: true, isMissing: false },
    });
    const node = bareNode({
      apps: [{ id: APP, secrets: ["secret"] }],
      env,
      now: () => now,
      sharedLimits: link,
    });
    const requests = new AnonymousRequests({
      telemetry: testTelemetry(),
      now: () => now,
      isProxy: () => false,
      shared: link,
    });
    anonymous.push(requests);
    link.serve({
      answer: () => {},
      takenByOthers: (key, amount) => {
        node.takenElsewhere(key, amount);
        requests.takenElsewhere(key, amount);
      },
    });
    return node;
  });
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      now += STEP_MS;
      vi.advanceTimersByTime(STEP_MS);
      exchange.run(now);
      for (const deliver of onWay.splice(0)) deliver();
    }
  };
  return { nodes, anonymous, pass, exchange, now: () => now };
}

describe.each([2, 8])("%d workers count together", (workers) => {
  it("connections, in all and of an address, also after a worker has gone", () => {
    const { nodes, pass, exchange } = world(workers, { MAX_CONNECTIONS: "40", MAX_CONNECTIONS_PER_IP: "20" });
    const admit = (worker: number, address: string) => nodes[worker]!.admit(address);
    const held = Array.from({ length: 20 }, (_, i) => admit(i % workers, "10.0.0.1"));
    expect(held.every(({ ok }) => ok)).toBe(true);
    pass(KNOWN_MS);
    for (const worker of nodes.keys())
      expect(admit(worker, "10.0.0.1")).toMatchObject({ ok: false, status: 429 });
    for (let i = 0; i < 20; i++) expect(admit(0, `10.0.1.${i}`).ok).toBe(true);
    pass(KNOWN_MS);
    for (const worker of nodes.keys())
      expect(admit(worker, "10.0.0.2")).toMatchObject({ ok: false, status: 503 });
    // One that ends makes room everywhere.
    for (const each of held) if ("release" in each) each.release();
    pass(KNOWN_MS);
    for (const worker of nodes.keys()) expect(admit(worker, "10.0.0.1").ok).toBe(true);
    exchange.remove(0);
    pass(KNOWN_MS);
    expect(admit(1, "10.0.1.1").ok).toBe(true);
  });

  it("sockets of a user", () => {
    const { nodes, pass, now } = world(workers);
    const budgets = nodes.map((node) => node.presence(APP)!.budgets);
    const held = budgets.map((each) => each.acquire("alice", now()));
    pass(KNOWN_MS);
    expect(held.map((budget, i) => budgets[i]!.socketsOf(budget))).toEqual(held.map(() => workers));
    budgets[0]!.release(held[0]!, now());
    pass(KNOWN_MS);
    expect(budgets[1]!.socketsOf(held[1]!)).toBe(workers - 1);
    expect(budgets[0]!.socketsOf(new UserBudget(undefined, RATES, 0))).toBe(0);
  });

  it("bytes and filters of the subscriptions of a user", () => {
    const maxBytes = 8 * 1_048_576;
    const { nodes, pass, exchange, now } = world(workers, {
      MAX_SUBSCRIPTION_BYTES_PER_USER: String(maxBytes),
    });
    const charges = nodes.map((node) => {
      const presence = node.presence(APP)!;
      return presence.chargesOf(presence.budgets.acquire("alice", now()))!;
    });
    const [first, second] = charges as [SubscriptionCharges, SubscriptionCharges];
    expect(first.subscribe("large", maxBytes - 100)).toBe(true);
    pass(KNOWN_MS);
    for (const each of charges.slice(1)) {
      expect(each.subscribe("small", 101)).toBe(false);
      expect(each.reserve(101)).toBe(false);
    }
    expect(second.subscribe("small", 100)).toBe(true);
    pass(KNOWN_MS);
    expect(first.subscribe("one more", 1)).toBe(false);
    first.unsubscribe("large");
    pass(KNOWN_MS);
    expect(second.reserve(maxBytes - 100)).toBe(true);
    second.giveBack(maxBytes - 100);
    pass(KNOWN_MS);

    // One filter is left at the second worker.
    let filters = 0;
    while (first.subscribe(`filter-${filters}`, 0)) filters++;
    pass(KNOWN_MS);
    expect(second.subscribe("too many", 0)).toBe(false);
    exchange.remove(0);
    pass(KNOWN_MS);
    expect(second.subscribe("too many", 0)).toBe(true);
  });

  it("requests without valid credentials of an address", () => {
    const { anonymous, pass } = world(workers);
    const ask = (worker: number) => anonymous[worker]!.take("192.0.2.1");
    // The burst would hide for long that each worker has a rate of its own.
    for (let i = 0; i < ANONYMOUS_BURST; i++) expect(ask(i % workers)).toBe(true);
    pass(KNOWN_MS);
    const letIn = letInOver(10_000, pass, () => anonymous.keys(), ask);
    const allowed = 10 * ANONYMOUS_PER_SECOND;
    expect(letIn).toBeLessThanOrEqual(allowed + ARRIVING * workers);
    expect(letIn).toBeGreaterThanOrEqual(0.8 * allowed);
    expect(anonymous[0]!.take("192.0.2.2")).toBe(true);
  });

  it("requests of an app", () => {
    const { nodes, pass, now } = world(workers, { HTTP_REQUESTS_PER_SECOND: "100" });
    const ask = (worker: number) => nodes[worker]!.presence(APP)!.takeHttpRequest(now());
    const letIn = letInOver(10_000, pass, () => nodes.keys(), ask);
    // A burst, ten seconds, and what each lets in before it knows of the others.
    expect(letIn).toBeGreaterThanOrEqual(200 + 10 * 100 - 10);
    expect(letIn).toBeLessThanOrEqual(200 + 10 * 100 + ARRIVING * workers);
  });

  it("new connections", () => {
    const { nodes, pass } = world(workers, {
      MAX_CONNECTS_PER_SECOND: "100",
      MAX_CONNECTIONS: "1000000",
      MAX_CONNECTIONS_PER_IP: "1000000",
    });
    const connect = (worker: number) => nodes[worker]!.admit("10.0.0.1").ok;
    const letIn = letInOver(10_000, pass, () => nodes.keys(), connect);
    expect(letIn).toBeLessThanOrEqual(200 + 10 * 100 + ARRIVING * workers);
    expect(letIn).toBeGreaterThanOrEqual(1_000);
  });

  it.each([
    ["messages", 0, 400, 200],
    ["bytes", 26_214, 20, 10],
  ])("%s of a user, at sockets of all of them", (_name, bytes, burst, perSecond) => {
    const { nodes, pass, now } = world(workers);
    const budgets = nodes.map((node) => node.presence(APP)!.budgets.acquire("alice", now()));
    const send = (worker: number) => budgets[worker]!.admit(bytes, now());
    const letIn = letInOver(10_000, pass, () => nodes.keys(), send);
    expect(letIn).toBeLessThanOrEqual(burst + 10 * perSecond + ARRIVING * workers);
    expect(letIn).toBeGreaterThanOrEqual(0.9 * (burst + 10 * perSecond));
  });

  it("messages of a user who comes to one worker after the other", () => {
    const { nodes, pass, now } = world(workers);
    let letIn = 0;
    for (const node of nodes) {
      const { budgets } = node.presence(APP)!;
      const budget = budgets.acquire("alice", now());
      while (budget.admit(0, now())) letIn++;
      budgets.release(budget, now());
      pass(KNOWN_MS);
    }
    expect(letIn).toBeLessThanOrEqual(400 + (200 * (workers * KNOWN_MS)) / 1_000);
    pass(10_000);
    for (const node of nodes) {
      node.run(now());
      expect(node.presence(APP)!.budgets.size).toBe(0);
    }
  });
});

const RATES = { messagesPerSecond: 1, burstMessages: 1, bytesPerSecond: 8, burstBytes: 8 };
/** Attempts at each worker in `KNOWN_MS`. */
const ATTEMPTS_PER_STEP = 2;
const ARRIVING = (ATTEMPTS_PER_STEP * KNOWN_MS) / STEP_MS;

/** How many attempts are let in, if there are some at each worker all the time. */
function letInOver(
  ms: number,
  pass: (ms: number) => void,
  workers: () => Iterable<number>,
  attempt: (worker: number) => boolean,
): number {
  let letIn = 0;
  for (let left = ms; left > 0; left -= STEP_MS) {
    for (const worker of workers()) for (let i = 0; i < ATTEMPTS_PER_STEP; i++) if (attempt(worker)) letIn++;
    pass(STEP_MS);
  }
  return letIn;
}
