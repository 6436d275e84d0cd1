import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type PageSender, PageTurns } from "../../../src/server/gateway/page-turns.ts";
import { PAGE_MS, TURN_MS, TurnBudget } from "../../../src/server/gateway/turn-budget.ts";

const PAGES_A_TURN = TURN_MS / PAGE_MS;

class Sender implements PageSender {
  sent = 0;
  readonly failures: unknown[] = [];
  readonly party: object;
  readonly #order: Sender[];
  #left: number;
  fault: Error | undefined;

  constructor(order: Sender[], party: object, pages: number) {
    this.#order = order;
    this.party = party;
    this.#left = pages;
  }

  get canSendPage(): boolean {
    return this.#left > 0;
  }

  sendPage(): void {
    if (this.fault !== undefined) throw this.fault;
    this.#left--;
    this.sent++;
    this.#order.push(this);
  }

  onFailure(error: unknown): void {
    this.failures.push(error);
    this.#left = 0;
  }
}

function setUp() {
  const failures: unknown[] = [];
  const turns = new PageTurns(new TurnBudget((error) => failures.push(error)));
  const order: Sender[] = [];
  const sender = (party: object, pages: number) => new Sender(order, party, pages);
  return { turns, order, sender, failures };
}

describe("pages of long answers", () => {
  it("are sent at once where they are few", () => {
    const { turns, sender } = setUp();
    const few = sender({}, 3);
    turns.start(few);
    expect(few.sent).toBe(3);
    expect(turns.size).toBe(0);
  });

  it("are limited in each turn of the event loop, for all readers together", async () => {
    const { turns, order, sender } = setUp();
    const senders = Array.from({ length: 100 }, () => sender({}, 10));
    for (const each of senders) turns.start(each);
    expect(order.length).toBeLessThanOrEqual(PAGES_A_TURN);
    for (let turn = 2; order.length < 1_000; turn++) {
      await setImmediate();
      expect(order.length).toBeLessThanOrEqual(turn * PAGES_A_TURN);
    }
    expect(senders.every(({ sent }) => sent === 10)).toBe(true);
    expect(turns.size).toBe(0);
  });

  it("of a user with many sockets are no more in a turn than those of a user with one", async () => {
    const { turns, sender } = setUp();
    const mallory = {};
    const many = Array.from({ length: 200 }, () => sender(mallory, 100));
    for (const each of many) turns.start(each);
    const one = sender({}, 50);
    turns.start(one);
    const before = many.reduce((sum, { sent }) => sum + sent, 0);
    while (one.sent < 50) await setImmediate();
    const meanwhile = many.reduce((sum, { sent }) => sum + sent, 0) - before;
    expect(meanwhile).toBeLessThanOrEqual(50 + PAGES_A_TURN);
    for (const each of many) turns.remove(each);
    expect(turns.size).toBe(0);
  });

  it("that fail end the answer to their reader, and no other", async () => {
    const { turns, sender, failures } = setUp();
    const senders = Array.from({ length: 20 }, () => sender({}, 10));
    senders[0]!.fault = new Error("a defect");
    senders[7]!.fault = new Error("another");
    for (const each of senders) turns.start(each);
    while (turns.size > 0) await setImmediate();
    expect(senders.map(({ failures }) => failures.length)).toEqual(
      senders.map((_, i) => (i % 7 ? 0 : i < 14 ? 1 : 0)),
    );
    expect(senders.filter(({ sent }) => sent === 10)).toHaveLength(18);
    expect(failures).toEqual([]);
  });
});

describe("a turn's budget", () => {
  it("calls back in turns; callbacks added again queue behind those that wait", async () => {
    const budget = new TurnBudget((error) => expect.fail(String(error)));
    const order: string[] = [];
    const party = (name: string) => {
      const act = () => {
        order.push(name);
        budget.spend(TURN_MS);
        if (order.length < 9) budget.onNextTurn(act);
      };
      budget.onNextTurn(act);
    };
    for (const name of ["a", "b", "c"]) party(name);
    while (order.length < 9) await setImmediate();
    expect(order.join("")).toBe("abcabcabc");
  });

  it("calls back the others where one throws", async () => {
    const failures: unknown[] = [];
    const budget = new TurnBudget((error) => failures.push(error));
    const called: number[] = [];
    budget.onNextTurn(() => {
      throw new Error("a defect");
    });
    budget.onNextTurn(() => called.push(1));
    await setImmediate();
    await setImmediate();
    expect(failures).toHaveLength(1);
    expect(called).toEqual([1]);
  });
});

it("a sender that fails, and fails to end, keeps no other from being served", async () => {
  const { turns, sender, failures } = setUp();
  const first = sender({}, 5);
  const failing = sender({}, 1);
  const last = sender({}, 1);
  for (const each of [first, failing, last]) turns.start(each);
  failing.fault = new Error("a defect");
  failing.onFailure = () => {
    throw new Error("another");
  };
  await setImmediate();
  await setImmediate();
  expect([last.sent, failures.length]).toEqual([1, 1]);
});
