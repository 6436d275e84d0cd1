import { beforeEach, describe, expect, it } from "vitest";
import type { Observer } from "./observer.ts";
import { ChaosOracle } from "./oracle.ts";

// The oracle is only useful if it notices errors, so each invariant is broken here on purpose.

const value = (...ids: string[]) => ({
  status: "online",
  backgroundSessions: [],
  widgets: ids.map((sessionId) => ({ sessionId, hasFocus: false, custom: { n: "1" } })),
});

describe("the oracle of the chaos runs", () => {
  let oracle: ChaosOracle;
  let observer: Observer;
  beforeEach(() => {
    oracle = new ChaosOracle({
      foreignMarks: ["mark-of-b"],
      canaries: ["hunter2-the-secret"],
      toleranceMs: 100,
    });
    observer = oracle.observer("o", true);
    snapshot({ alice: value("a1") });
    oracle.holds("alice", ["a1"], 0);
  });
  const snapshot = (data: object, version = 1, at = 0, more?: boolean) =>
    observer.received(JSON.stringify({ type: "snapshot", view: "v", version, data, more }), at);
  const diff = (data: object, version: number, at: number, causes?: object, view = "v") =>
    observer.received(JSON.stringify({ type: "diff", view, version, data, causes }), at);
  const broken = () => oracle.violations.map(({ invariant }) => invariant);

  it("reports nothing for a correct life", () => {
    diff({ bob: value("b1") }, 2, 10);
    oracle.holds("bob", ["b1"], 11);
    oracle.mayLeave("bob", 3_000, 4_000);
    diff({ bob: null }, 3, 3_050, { bob: "timeout" });
    oracle.ended("a1", 5_000);
    diff({ alice: null }, 4, 5_020, { alice: "closed" });
    observer.compare({}, 6_000);
    oracle.quiet({}, new Map(), 6_000);
    oracle.output("log", "all is well", 6_000);
    oracle.expires("s", 1_000);
    oracle.delivered("s", 6_900);
    oracle.leftovers("files", 20, 20, 0, 6_000);
    expect(oracle.violations).toEqual([]);
  });

  it("I1: a ghost in a query that left too late", () => {
    oracle.quiet({ alice: value("a1"), ghost: value("g1") }, new Map([["alice", [row("a1")]]]), 50);
    expect(oracle.violations).toMatchObject([{ invariant: "I1", userId: "ghost" }]);
    oracle.mayLeave("alice", 100, 200);
    diff({ alice: null }, 2, 1_000, { alice: "timeout" });
    expect(broken()).toEqual(["I1", "I1"]);
  });

  it("has extra time for a machine that was late, for some seconds", () => {
    oracle.machineWasLate(400, 3_000);
    oracle.mayLeave("alice", 100, 3_000);
    diff({ alice: null }, 2, 3_850, { alice: "timeout" });
    expect(broken()).toEqual([]);
    diff({ bob: value("b1") }, 3, 20_000);
    oracle.mayLeave("bob", 20_000, 21_000);
    diff({ bob: null }, 4, 21_150, { bob: "timeout" });
    expect(broken()).toEqual(["I1"]);
    expect(oracle.mostAllowedMs).toBe(400);
  });

  it("I1: a second session without a client, beside a correct one", () => {
    oracle.quiet({ alice: value("a1", "old") }, new Map([["alice", [row("a1")]]]), 50);
    expect(broken()).toEqual(["I1"]);
  });

  it("I2, I3: a session on a node that may be considered dead may leave after a while and return; no other session may", () => {
    oracle.strand("a1", 1_000);
    diff({ alice: null }, 2, 1_500, { alice: "node-lost" });
    diff({ alice: value("a1") }, 3, 5_000);
    oracle.holds("alice", ["a1"], 5_100);
    expect(broken()).toEqual([]);
    oracle.strand("a1", 9_000);
    diff({ alice: null }, 4, 8_000, { alice: "node-lost" });
    expect(broken()).toEqual(["I2"]);
    oracle.holds("alice", ["a1"], 9_500);
    diff({ alice: value("a1") }, 5, 9_600);
    diff({ alice: null }, 6, 9_700, { alice: "node-lost" });
    expect(broken()).toEqual(["I2", "I2"]);
  });

  it("calls back for users that enter and leave, whatever their sessions do", () => {
    const seen: string[] = [];
    observer.onPresence = (userId, isThere) => seen.push(`${userId} ${isThere}`);
    diff({ alice: value("a1", "a2"), bob: value("b1") }, 2, 10);
    diff({ alice: value("a2"), bob: null }, 3, 20, { bob: "closed" });
    expect(seen).toEqual(["bob true", "bob false"]);
  });

  it("I2: a leave while the client is connected, before the end of the window, or of a resumed session", () => {
    diff({ alice: null }, 2, 10, { alice: "timeout" });
    expect(broken()).toEqual(["I2"]);
    oracle.holds("alice", ["a1"], 20);
    expect(broken()).toEqual(["I2", "I2"]);
  });

  it("I2: a window that was cut short, also after the gateway was paused", () => {
    oracle.mayLeave("alice", 3_000, 4_000);
    oracle.postpone(20_000);
    diff({ alice: null }, 2, 2_000, { alice: "timeout" });
    expect(oracle.violations).toMatchObject([
      { invariant: "I2", what: expect.stringContaining("1000 ms too early") },
    ]);
  });

  it("I2: one of several sessions vanishes, in a diff or in a snapshot", () => {
    diff({ alice: value("a1", "a2") }, 2, 10);
    oracle.holds("alice", ["a1", "a2"], 10);
    diff({ alice: value("a2") }, 3, 20);
    expect(broken()).toEqual(["I2"]);
    observer.cut();
    snapshot({}, 9, 30);
    expect(broken()).toEqual(["I2", "I2"]);
  });

  it("I2: an expected user is missing", () => {
    oracle.quiet({}, new Map([["alice", [row("a1")]]]), 10);
    expect(broken()).toEqual(["I2"]);
  });

  it("I3: a leave of an absent user, a return with the same session, a leave without a cause", () => {
    diff({ bob: null }, 2, 10, { bob: "closed" });
    expect(broken()).toEqual(["I3"]);
    oracle.ended("a1", 10);
    diff({ alice: null }, 3, 20);
    expect(broken()).toEqual(["I3", "I3"]);
    diff({ alice: value("a1") }, 4, 200);
    expect(broken()).toEqual(["I3", "I3", "I3"]);
  });

  it.each([
    ["a version is left out", () => diff({ alice: value("a1", "a2") }, 3, 10)],
    ["a version comes twice", () => diff({ alice: value("a1", "a2") }, 1, 10)],
    ["nothing is in it", () => diff({}, 2, 10)],
    ["nothing changes", () => diff({ alice: value("a1") }, 2, 10)],
    ["it is of another view", () => diff({ bob: value("b") }, 2, 10, undefined, "w")],
    [
      "it comes before the snapshot",
      () => {
        observer.cut();
        diff({ bob: value("b") }, 2, 10);
      },
    ],
    [
      "it comes between pages",
      () => {
        snapshot({ alice: value("a1") }, 2, 10, true);
        diff({ bob: value("b") }, 3, 10);
      },
    ],
    [
      "a page is of another version",
      () => {
        snapshot({ alice: value("a1") }, 2, 10, true);
        snapshot({ bob: value("b1") }, 3, 10);
      },
    ],
  ])("I4: a message is wrong, as %s", (_name, act) => {
    act();
    expect(broken()).toContain("I4");
  });

  it("I4: observer and query differ in any way", () => {
    observer.compare({ alice: value("a1") }, 10);
    expect(broken()).toEqual([]);
    observer.compare({ alice: { ...value("a1"), widgets: [{ sessionId: "a1", hasFocus: true }] } }, 10);
    observer.compare({}, 10);
    observer.compare({ alice: value("a1"), bob: value("b") }, 10);
    observer.cut();
    observer.compare({ alice: value("a1") }, 10);
    expect(broken()).toEqual(["I4", "I4", "I4", "I4"]);
  });

  it("I4: an observer resumes at another position than its own", () => {
    observer.cut();
    observer.received('{"type":"resumed","view":"v","version":1}', 10);
    diff({ bob: value("b") }, 2, 10);
    expect(broken()).toEqual([]);
    observer.cut();
    observer.received('{"type":"resumed","view":"v","version":1}', 10);
    expect(broken()).toEqual(["I4"]);
  });

  it("I4: the last value has not won", () => {
    const expected = new Map([["alice", [{ sessionId: "a1", fields: { custom: { n: "2" } } }]]]);
    oracle.quiet({ alice: value("a1") }, expected, 10);
    expect(broken()).toEqual(["I4"]);
  });

  it("I5 and I8: data of another app, a secret", () => {
    diff({ bob: { ...value("b"), note: "mark-of-b" } }, 2, 10);
    oracle.output("the log", "token hunter2-the-secret refused", 10);
    expect(broken()).toEqual(["I5", "I8"]);
  });

  it("I6, I7 and I9: a crash, a leak, a message after the token's end", () => {
    oracle.crashed("exit code 1", 10);
    oracle.leftovers("files", 20, 21, 0, 10);
    oracle.expires("s", 1_000);
    oracle.delivered("s", 7_101);
    expect(broken()).toEqual(["I6", "I7", "I9"]);
    oracle.expires("s", 9_000);
    oracle.delivered("s", 7_102);
    expect(broken()).toHaveLength(3);
  });

  it("knows the previous events of a user, and those that affect all", () => {
    oracle.record(1, "bob", "not hers");
    oracle.record(2, undefined, "the gateway slept");
    diff({ alice: null }, 2, 10, { alice: "timeout" });
    const history = oracle.history("alice", 50).join("\n");
    expect(history).toMatch(/holds a1[\s\S]*the gateway slept[\s\S]*VIOLATION of I2/);
    expect(history).not.toContain("not hers");
    expect(oracle.history("alice", 1)).toHaveLength(1);
  });
});

const row = (sessionId: string) => ({ sessionId, fields: {} });
