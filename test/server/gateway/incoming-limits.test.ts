import { beforeEach, describe, expect, it } from "vitest";
import type { Principal } from "../../../src/server/auth/principal.ts";
import {
  APP_TOKEN_FACTOR,
  BURST_SECONDS,
  FLOOD_SECONDS,
  MAX_BAD_MESSAGES,
  MAX_BYTES_BEFORE_CONNECT,
  NEWCOMER_PER_SECOND,
} from "../../../src/server/gateway/gateway-config.ts";
import { IncomingLimits } from "../../../src/server/gateway/incoming-limits.ts";
import { World } from "../../fuzz/targets/world.ts";

const PER_SECOND = 20;
const BYTES = 100;
const APP: Principal = { kind: "app", exp: undefined };
const ALICE: Principal = { kind: "user", userId: "alice", grant: { kind: "all" }, exp: undefined };

let world: World;
/** Bytes that the address has sent before `connect`. */
let charged: number[];
let mayCharge: boolean;

beforeEach(() => {
  world = new World({ MESSAGES_PER_SECOND: String(PER_SECOND), MAX_CONNECTIONS_PER_IP: "2" });
  charged = [];
  mayCharge = true;
});

function limitsOfSocket(): IncomingLimits {
  const admitMessage = (bytes: number) => {
    charged.push(bytes);
    return mayCharge;
  };
  return new IncomingLimits(world.presence, world.node.limits, { admitMessage }, 0);
}

function connected(principal: Principal): IncomingLimits {
  const limits = limitsOfSocket();
  expect(limits.acquireBudget(principal, BYTES, 0)).toBeUndefined();
  return limits;
}

/** How many messages at once are let through. */
function admitted(limits: IncomingLimits, now: number): number {
  let count = 0;
  while (limits.refuse(BYTES, now) === undefined) count++;
  return count;
}

describe("before connect", () => {
  it("the first message is free, and each further one is charged to the address", () => {
    const limits = limitsOfSocket();
    expect(limits.refuseNewcomer(BYTES, 0)).toBeUndefined();
    expect(charged).toEqual([]);
    expect(limits.refuseNewcomer(BYTES, 0)).toBeUndefined();
    mayCharge = false;
    expect(limits.refuseNewcomer(BYTES + 1, 0)).toBe("flooding");
    expect(charged).toEqual([BYTES, BYTES + 1]);
  });

  it("a message may have so many bytes", () => {
    const limits = limitsOfSocket();
    expect(limits.refuseNewcomer(MAX_BYTES_BEFORE_CONNECT, 0)).toBeUndefined();
    expect(limits.refuseNewcomer(MAX_BYTES_BEFORE_CONNECT + 1, 0)).toBe("tooLarge");
  });

  it("the rate is that of a newcomer", () => {
    expect(NEWCOMER_PER_SECOND).toBeLessThan(PER_SECOND);
    expect(admitted(limitsOfSocket(), 0)).toBe(NEWCOMER_PER_SECOND * BURST_SECONDS);
  });
});

describe("after connect", () => {
  it.each([
    ["a user", ALICE, PER_SECOND],
    ["an app token", APP, PER_SECOND * APP_TOKEN_FACTOR],
  ])("the rate is that of %s", (_name, principal, perSecond) => {
    expect(admitted(connected(principal), 0)).toBe(perSecond * BURST_SECONDS);
  });

  it("a message over the rate is told when it may come again, and a flood is one after a time", () => {
    const limits = connected(ALICE);
    const burst = admitted(limits, 0);
    expect(limits.refuse(BYTES, 0)).toEqual({ retryAfterMs: 1_000 / PER_SECOND, isFlooding: false });
    let refused = 2;
    while (limits.refuse(BYTES, 0)?.isFlooding === false) refused++;
    expect(refused).toBe(PER_SECOND * FLOOD_SECONDS);
    expect(burst).toBe(PER_SECOND * BURST_SECONDS);
  });

  it("the sockets of a user share a budget, and those with an app token do not", () => {
    const [one, another] = [connected(ALICE), connected(ALICE)];
    expect(one.budget).toBe(another.budget);
    expect(one.budget?.userId).toBe("alice");
    expect(connected(APP).budget).not.toBe(connected(APP).budget);
    while (one.budget!.admit(BYTES, 0));
    expect(another.refuse(BYTES, 0)?.retryAfterMs).toBe(one.budget!.retryAfterMs(BYTES));
  });

  it("a socket with an app token goes on where one that has gone had stopped", () => {
    const perSecond = PER_SECOND * APP_TOKEN_FACTOR;
    const one = connected(APP);
    admitted(one, 0);
    while (one.refuse(BYTES, 0)?.isFlooding === false);
    one.release(0);
    const next = limitsOfSocket();
    expect(next.acquireBudget(APP, BYTES, 10)).toBeUndefined();
    expect(next.lastHeard).toBe(10);
    // What 10 ms allow, and what the rate may be exceeded by in that time.
    expect(admitted(next, 10)).toBe(perSecond / 100);
    let refused = 1;
    while (next.refuse(BYTES, 10)?.isFlooding === false) refused++;
    expect(refused).toBe(perSecond / 100);
    // Bad messages are those of one socket.
    for (let i = 1; i < MAX_BAD_MESSAGES; i++) next.isTooBad(10);
    next.release(10);
    const last = limitsOfSocket();
    last.acquireBudget(APP, BYTES, 10);
    expect(last.isTooBad(10)).toBe(false);
  });

  it("control frames count as messages without bytes", () => {
    const limits = connected(ALICE);
    const allowed = PER_SECOND * (BURST_SECONDS + FLOOD_SECONDS);
    for (let i = 0; i < allowed; i++) expect(limits.isFloodedByControl(7.5)).toBe(false);
    expect(limits.isFloodedByControl(7.5)).toBe(true);
    expect(limits.lastHeard).toBe(7);
  });

  it("so many bad messages are too many", () => {
    const limits = connected(ALICE);
    for (let i = 1; i < MAX_BAD_MESSAGES; i++) expect(limits.isTooBad(i)).toBe(false);
    expect(limits.isTooBad(MAX_BAD_MESSAGES)).toBe(true);
  });
});

describe("a budget that a socket asks for", () => {
  it("is refused to a user who has all sockets, until one of them has gone", () => {
    const [one] = [connected(ALICE), connected(ALICE)];
    const third = limitsOfSocket();
    expect(third.acquireBudget(ALICE, BYTES, 0)).toBe("sockets");
    expect(third.budget).toBeUndefined();
    one.release(0);
    expect(third.acquireBudget(ALICE, BYTES, 0)).toBeUndefined();
  });

  it("is refused to a user who has used it up, and the refusal keeps no socket", () => {
    const one = connected(ALICE);
    const { budget } = one;
    while (budget!.admit(BYTES, 0));
    const another = limitsOfSocket();
    const refused = another.acquireBudget(ALICE, BYTES, 0);
    expect(refused).toEqual({ retryAfterMs: budget!.retryAfterMs(BYTES), isFlooding: false });
    expect(budget!.sockets).toBe(1);
    another.release(0);
    expect(budget!.sockets).toBe(1);
  });
});
