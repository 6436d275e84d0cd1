import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  next,
  type Step,
  statusOf,
} from "../../src/client/connection-state.ts";
import { Random } from "../support/random.ts";
import { runs, SEED } from "../support/seed.ts";

const STATES = [
  "idle",
  "connecting.token",
  "connecting.socket",
  "connected.listen",
  "connected.ping",
  "reconnecting.wait",
  "reconnecting.token",
  "reconnecting.socket",
  "failed",
  "closed",
] as const satisfies readonly ConnectionState[];
const EVENTS = [
  "start",
  "wake",
  "suspend",
  "close",
  "token",
  "accepted",
  "message",
  "lost",
  "rejected",
  "retry",
] as const satisfies readonly ConnectionEvent[];
const STARTS_TIMER = [
  "token",
  "socket",
  "listen",
  "ping",
  "wait",
] as const satisfies readonly ConnectionEffect[];

type Expected = Partial<Record<ConnectionEvent, readonly [ConnectionState, ...ConnectionEffect[]]>>;

/** Every transition, written out. A pair that is not here changes nothing. */
const EXPECTED: Record<ConnectionState, Expected> = {
  idle: {
    start: ["connecting.token", "status", "token"],
    suspend: ["idle"],
    close: ["closed", "status"],
  },
  "connecting.token": {
    token: ["connecting.socket", "socket"],
    lost: ["reconnecting.wait", "wait"],
    suspend: ["idle", "status"],
    close: ["closed", "status"],
  },
  "connecting.socket": {
    accepted: ["connected.listen", "status", "listen"],
    lost: ["reconnecting.wait", "drop", "wait"],
    rejected: ["failed", "drop", "status"],
    suspend: ["idle", "drop", "status"],
    close: ["closed", "close", "status"],
  },
  "connected.listen": {
    message: ["connected.listen", "listen"],
    wake: ["connected.ping", "ping"],
    lost: ["reconnecting.wait", "drop", "wait"],
    rejected: ["failed", "drop", "status"],
    suspend: ["idle", "drop", "status"],
    close: ["closed", "close", "status"],
  },
  "connected.ping": {
    message: ["connected.listen", "listen"],
    lost: ["reconnecting.wait", "drop", "wait"],
    rejected: ["failed", "drop", "status"],
    suspend: ["idle", "drop", "status"],
    close: ["closed", "close", "status"],
  },
  "reconnecting.wait": {
    retry: ["reconnecting.token", "token"],
    wake: ["reconnecting.wait", "wait"],
    suspend: ["idle", "status"],
    close: ["closed", "status"],
  },
  "reconnecting.token": {
    token: ["reconnecting.socket", "socket"],
    wake: ["reconnecting.wait", "wait"],
    lost: ["reconnecting.wait", "wait"],
    suspend: ["idle", "status"],
    close: ["closed", "status"],
  },
  "reconnecting.socket": {
    accepted: ["connected.listen", "status", "listen"],
    lost: ["reconnecting.wait", "drop", "wait"],
    rejected: ["failed", "drop", "status"],
    suspend: ["idle", "drop", "status"],
    close: ["closed", "close", "status"],
  },
  failed: { start: ["connecting.token", "status", "token"], close: ["closed", "status"] },
  closed: {},
};

describe("the connection's state machine", () => {
  it.each(STATES.flatMap((state) => EVENTS.map((event) => [state, event] as const)))(
    "in %s, on %s, does what its table says",
    (state, event) => {
      const expected = EXPECTED[state][event];
      const step = expected && ({ state: expected[0], effects: expected.slice(1) } as Step);
      expect(next(state, event)).toEqual(step);
    },
  );

  it("is the table in the head of its module", () => {
    const text = readFileSync(new URL("../../src/client/connection-state.ts", import.meta.url), "utf8");
    for (const state of STATES) {
      const common: ConnectionEvent[] = ["suspend", "close", "lost", "rejected"];
      const written = Object.entries(EXPECTED[state])
        .filter(([event]) => !common.includes(event as ConnectionEvent))
        .map(([event, [to]]) => `${event} → ${to}`);
      const row = text.split("\n").find((line) => line.startsWith(` * | \`${state}\` `));
      expect(row, state).toBeDefined();
      expect(row!.split("|")[3]!.trim()).toBe(written.join(", "));
    }
  });

  it("shows the app the part of the state before the dot", () => {
    expect([...new Set(STATES.map(statusOf))]).toEqual([
      "idle",
      "connecting",
      "connected",
      "reconnecting",
      "failed",
      "closed",
    ]);
  });

  it(`has at most one socket and one timer, wherever it walks (MODEL_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    const seen = new Set<ConnectionState>();
    for (let run = 0; run < runs(300); run++) {
      let state: ConnectionState = "idle";
      let sockets = 0;
      let timers = 0;
      let status = statusOf(state);
      for (let i = 0; i < 200; i++) {
        // Closing is rare, or a walk would be short.
        const event = random.pick(random.oneIn(20) ? EVENTS : EVENTS.filter((each) => each !== "close"));
        const step: Step | undefined = next(state, event);
        seen.add(state);
        if (step === undefined) continue;
        timers = 0;
        for (const effect of step.effects) {
          if (effect === "drop" || effect === "close") sockets--;
          if (effect === "socket") sockets++;
          if (effect === "status" || effect === "wait") status = statusOf(step.state);
          if ((STARTS_TIMER as readonly string[]).includes(effect)) timers++;
          expect(sockets).toBeGreaterThanOrEqual(0);
          expect(sockets).toBeLessThanOrEqual(1);
          expect(timers).toBeLessThanOrEqual(1);
        }
        state = step.state;
        expect(STATES).toContain(state);
        expect(status, "every change of the status is told").toBe(statusOf(state));
        const isOver = ["idle", "failed", "closed"].includes(state);
        expect(timers, `a timer in ${state}`).toBe(isOver ? 0 : 1);
        expect(sockets, `a socket in ${state}`).toBe(/socket|connected/.test(state) ? 1 : 0);
      }
    }
    expect(seen).toEqual(new Set(STATES));
  });
});
