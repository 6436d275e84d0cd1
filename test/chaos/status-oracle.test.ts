import { beforeEach, describe, expect, it } from "vitest";
import { type Declaration, NOTHING_SAID, StatusOracle } from "./status-oracle.ts";

// The oracle is only useful if it lets nothing pass: each of its exceptions is as narrow as possible.

const [AWAY, BUSY] = [{ availability: "away" }, { availability: "busy", text: "x" }];

describe("the oracle of statuses", () => {
  let oracle: StatusOracle;
  beforeEach(() => {
    oracle = new StatusOracle();
  });
  const declare = (declaration: Partial<Declaration>) =>
    oracle.declared("alice", {
      status: AWAY,
      place: "a",
      at: 0,
      isHeard: true,
      isCertain: true,
      ...declaration,
    });
  const allowed = (at = 10_000) => oracle.allowed("alice", at);

  it("lets the last writer win", () => {
    expect(allowed()).toEqual([NOTHING_SAID]);
    declare({});
    declare({ status: BUSY, place: "b" });
    expect(allowed()).toEqual([BUSY]);
    expect(oracle.allowed("bob", 0)).toEqual([NOTHING_SAID]);
  });

  it("does not know whether something without an answer was done", () => {
    declare({});
    declare({ status: BUSY, isCertain: false });
    expect(allowed()).toEqual([AWAY, BUSY]);
    oracle.agreed("alice", BUSY, 0);
    expect(allowed()).toEqual([BUSY]);
  });

  it("lets a node that dies take with it only what nobody else had heard of", () => {
    declare({});
    declare({ status: BUSY, at: 5_000 });
    oracle.died("b", 5_100);
    expect(allowed()).toEqual([BUSY]);
    oracle.died("a", 6_100);
    expect(allowed()).toEqual([BUSY]);
    oracle.died("a", 5_100);
    expect(allowed()).toEqual([AWAY, BUSY]);
    oracle.agreed("alice", AWAY, 7_000);
    oracle.died("a", 7_000);
    expect(allowed()).toEqual([AWAY]);
    declare({ status: BUSY, isHeard: false });
    oracle.died("a", 60_000);
    expect(allowed()).toEqual([AWAY, BUSY]);
    oracle.forgotten();
    expect(allowed()).toEqual([NOTHING_SAID]);
  });

  it("ends a status in time, also one on which all nodes agreed before", () => {
    declare({ expires: { from: 2_000, by: 2_100 } });
    expect(allowed(1_999)).toEqual([AWAY]);
    expect(allowed(2_000)).toEqual([AWAY, NOTHING_SAID]);
    oracle.agreed("alice", AWAY, 1_000);
    expect(allowed(3_100)).toEqual([NOTHING_SAID]);
  });
});
