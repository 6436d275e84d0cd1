import { describe, expect, it } from "vitest";
import { retryDelay } from "../../../src/client/retry.ts";
import { makeId } from "../../../src/core/ids.ts";
import { App } from "../../../src/server/auth/app.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import { Newcomer, Newcomers } from "../../../src/server/gateway/newcomers.ts";
import type { Socket, SocketListener, UpgradeRefusal } from "../../../src/server/gateway/socket.ts";
import type { Refusal } from "../../../src/server/gateway/telemetry.ts";
import { answerUpgrade } from "../../../src/server/gateway/upgrade.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { Random } from "../../support/random.ts";
import { testTelemetry } from "../../support/stubs.ts";

// On uWebSockets.js a socket that has not connected may hold an unfinished message of MAX_MESSAGE_BYTES.

const MIB = 1024 * 1024;
const MESSAGE = 262_144;
const LIMITS = { maxMessageBytes: MESSAGE };
/** So long the library may keep a connection that has ended. */
const LINGER_MS = 5_000;

/** As many of an address as are let in. */
function fill(newcomers: Newcomers, address: string, now = 0): Newcomer[] {
  const all: Newcomer[] = [];
  for (;;) {
    const one = newcomers.admit(address, now);
    if (typeof one === "string") return all;
    all.push(one);
  }
}

describe("sockets that have not connected", () => {
  it.each([
    [64 * MIB, MESSAGE, 128, 32],
    [512 * MIB, MESSAGE, 256, 64],
    [2_048 * MIB, MESSAGE, 1_024, 256],
    [24_576 * MIB, MESSAGE, 12_288, 3_072],
    [24_576 * MIB, 16 * MIB, 192, 48],
    [Number.POSITIVE_INFINITY, MESSAGE, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])(
    "with %i bytes of memory and messages of %i are at most %i, %i of an address",
    (memory, maxMessageBytes, max, maxPerAddress) => {
      const newcomers = new Newcomers(memory, { maxMessageBytes });
      expect(newcomers).toMatchObject({ max, maxPerAddress });
    },
  );

  it("from one address leave room for others, and their total is limited", () => {
    const newcomers = new Newcomers(512 * MIB, LIMITS);
    expect(fill(newcomers, "10.0.0.1")).toHaveLength(64);
    expect(newcomers.admit("10.0.0.1", 0)).toBe("newcomers_per_address");
    expect(newcomers.admit("::ffff:10.0.0.1", 0)).toBe("newcomers_per_address");
    const others = fill(newcomers, "2001:db8::1");
    expect(others).toHaveLength(64);
    expect(newcomers.admit("2001:db8::2", 0)).toBe("newcomers_per_address");
    expect([fill(newcomers, "10.0.0.2").length, fill(newcomers, "10.0.0.3").length]).toEqual([64, 64]);
    expect(newcomers.admit("10.0.0.4", 0)).toBe("newcomers");
    // Once is enough, and twice does no harm.
    for (const each of [others[0]!, others[0]!]) each.release();
    expect(newcomers.present).toBe(255);
    expect(newcomers.admit("10.0.0.4", 0)).toBeInstanceOf(Newcomer);
    expect(newcomers.admit("10.0.0.4", 0)).toBe("newcomers");
  });

  it("count until the library drops them after their end", () => {
    const newcomers = new Newcomers(512 * MIB, LIMITS);
    const all = fill(newcomers, "10.0.0.1");
    for (const each of all) each.ended(1_000);
    expect(newcomers.present).toBe(0);
    all[0]!.release();
    expect(newcomers.admit("10.0.0.1", 999 + LINGER_MS)).toBe("newcomers_per_address");
    expect(fill(newcomers, "10.0.0.1", 1_000 + LINGER_MS)).toHaveLength(64);
  });

  it("are counted correctly, whatever comes and goes", () => {
    const random = new Random(3);
    const newcomers = new Newcomers(64 * MIB, LIMITS);
    let held: { key: string; one: Newcomer }[] = [];
    let lingering: { key: string; until: number }[] = [];
    const refusals = new Map<string, number>();
    for (let now = 0; now < 200_000; now += random.below(40)) {
      lingering = lingering.filter(({ until }) => until > now);
      if (random.below(100) < 70) {
        const key = `10.0.0.${random.oneIn(3) ? 0 : random.below(8)}`;
        const all = [...held, ...lingering];
        const naive =
          all.length >= 128
            ? "newcomers"
            : all.filter((each) => each.key === key).length >= 32
              ? "newcomers_per_address"
              : "in";
        const one = newcomers.admit(key, now);
        expect(typeof one === "string" ? one : "in").toBe(naive);
        if (typeof one !== "string") held.push({ key, one });
        refusals.set(naive, (refusals.get(naive) ?? 0) + 1);
      } else if (held.length > 0) {
        const chosen = held[random.below(held.length)]!;
        held = held.filter((each) => each !== chosen);
        if (random.oneIn(2)) chosen.one.release();
        else {
          chosen.one.ended(now);
          lingering.push({ key: chosen.key, until: now + LINGER_MS });
        }
      }
      expect(newcomers.present).toBe(held.length);
    }
    for (const reason of ["in", "newcomers", "newcomers_per_address"]) {
      expect(refusals.get(reason)).toBeGreaterThan(100);
    }
  });

  it.each([64, 512, 2_048])(
    "a thousand clients behind one address of a node with %i MiB all reconnect within the resume window",
    (memoryMib) => {
      const random = new Random(8);
      const newcomers = new Newcomers(memoryMib * MIB, LIMITS);
      const windowMs = 15_000;
      const connectMs = 100;
      const connectedAt: number[] = [];
      let refused = 0;
      const events: { at: number; attempt: number; one?: Newcomer }[] = [];
      for (let i = 0; i < 1_000; i++) events.push({ at: 0, attempt: 0 });
      while (events.length > 0) {
        events.sort((a, b) => b.at - a.at);
        const { at, attempt, one } = events.pop()!;
        if (one !== undefined) {
          one.release();
          connectedAt.push(at);
          continue;
        }
        const admitted = newcomers.admit("10.0.0.1", at);
        if (typeof admitted !== "string") events.push({ at: at + connectMs, attempt, one: admitted });
        else {
          refused++;
          events.push({ at: at + retryDelay(attempt, windowMs, at, random.next()), attempt: attempt + 1 });
        }
      }
      const [half, last] = [connectedAt[500]!, connectedAt.at(-1)!];
      process.stdout.write(
        `${memoryMib} MiB: half in ${half.toFixed(0)}, all in ${last.toFixed(0)} ms, ${refused} refusals\n`,
      );
      expect(connectedAt).toHaveLength(1_000);
      expect(last).toBeLessThan(windowMs);
    },
  );
});

describe("a gateway that does not see unfinished messages", () => {
  const SECRET = "a secret that is long enough for anybody, and for this";

  function setUp() {
    const { limits } = readSettings(
      { MAX_CONNECTIONS: "200", MAX_CONNECTIONS_PER_IP: "150" },
      { openFiles: 65_536, readFile: () => "" },
    );
    let now = 0;
    const clock = { now: () => now, wallNow: () => Date.now() };
    const refused: Refusal[] = [];
    const telemetry = { ...testTelemetry(), refused: (refusal: Refusal) => void refused.push(refusal) };
    const node = new GatewayNode({
      apps: [new App({ id: "app", secrets: [SECRET] })],
      limits,
      clock,
      telemetry,
      nodeId: "n",
      makeId,
      random: () => 0,
      memoryLimit: 64 * MIB,
    });
    node.stop();
    /** A socket of an address, as uWebSockets.js has it: it has ended when `close` returns. */
    const upgrade = (address: string, boundsFirstMessage = false): SocketListener | UpgradeRefusal => {
      const answer = answerUpgrade(node, { appId: "app", origin: undefined, address, boundsFirstMessage });
      if (!answer.ok) return answer;
      const socket: Socket = {
        send: () => true,
        authorized: () => {},
        ping: () => {},
        close: (code) => listener.onClose(code),
        terminate: () => listener.onClose(1006),
        buffered: 0,
        progress: 0,
      };
      const listener = answer.accept(socket);
      return listener;
    };
    const letIn = (count: number) =>
      Array.from({ length: count }, () => upgrade("10.0.0.1") as SocketListener);
    const pass = (ms: number) => {
      now += ms;
      node.run(now);
    };
    return { node, refused, upgrade, letIn: letIn, pass };
  }
  const say = (listener: SocketListener, message: unknown) => {
    const text = JSON.stringify(message);
    listener.onText(text, text.length);
  };
  const flood = (listener: SocketListener) => {
    for (let i = 0; i < 1_000; i++) listener.onControl();
  };
  const FULL = { ok: false, status: 429, retryAfterS: 1 };

  it("refuses newcomers of an address that has too many, until one has connected", async () => {
    const { node, refused, upgrade, letIn } = setUp();
    const all = letIn(32);
    expect(upgrade("10.0.0.1")).toMatchObject(FULL);
    expect(refused).toEqual(["newcomers_per_address"]);
    // What is refused has taken no place.
    expect(node.debugCounts()).toMatchObject({ connections: 32, newcomers: 32 });
    const token = await mintToken("app", SECRET, { tokenType: "user", sub: "alice" });
    say(all[0]!, { type: "connect", token });
    expect(node.newcomers.present).toBe(31);
    expect(upgrade("10.0.0.1")).not.toHaveProperty("status");
    // One that has connected, and ends, changes nothing.
    all[0]!.onClose(1000);
    expect(upgrade("10.0.0.1")).toMatchObject(FULL);
    expect(node.debugCounts()).toMatchObject({ connections: 32, newcomers: 32 });
  });

  it("refuses newcomers of all addresses when there are too many in total", () => {
    const { refused, upgrade } = setUp();
    for (let i = 0; i < 128; i++) upgrade(`10.0.1.${i}`);
    expect(upgrade("10.0.0.1")).toMatchObject({ ok: false, status: 503, retryAfterS: 1 });
    expect(refused).toEqual(["newcomers"]);
  });

  it("has no limit where the transport bounds the first message", () => {
    const { node, upgrade } = setUp();
    for (let i = 0; i < 150; i++) expect(upgrade("10.0.0.1", true)).not.toHaveProperty("status");
    expect(upgrade("10.0.0.1", true)).toMatchObject({ status: 429 });
    expect(node.newcomers.present).toBe(0);
  });

  it("frees the place of a newcomer that is refused for another reason", () => {
    const { node, refused, upgrade } = setUp();
    for (let i = 0; i < 150; i++) upgrade("10.0.0.1", true);
    expect(upgrade("10.0.0.1")).toMatchObject({ status: 429 });
    expect(refused).toEqual(["connections_per_address"]);
    expect(node.newcomers.present).toBe(0);
  });

  it.each<[string, (listener: SocketListener, pass: (ms: number) => void) => void, boolean]>([
    ["says nothing in time", (_listener, pass) => pass(5_000), true],
    ["says goodbye", (listener) => listener.onClose(1000), true],
    ["is cut off", (listener) => listener.onClose(1006), true],
    ["sends too much", (listener) => listener.onText(" ".repeat(8_193), 8_193), true],
    ["sends no text", (listener) => listener.onBinary(), true],
    ["floods us with pings", flood, true],
    // Its message was short and whole, so nothing is kept for it: others behind its address do not wait.
    ["has a bad token", (listener) => say(listener, { type: "connect", token: "bad" }), false],
    ["says something else", (listener) => say(listener, { type: "ping" }), false],
    ["speaks no JSON", (listener) => listener.onText("hello", 5), false],
  ])("one that %s counts as long as something of it may be kept", (_name, act, lingers) => {
    const { node, upgrade, letIn, pass } = setUp();
    const all = letIn(32);
    act(all[0]!, pass);
    if (node.newcomers.present === 0)
      expect(node.debugCounts()).toMatchObject({ connections: 0, newcomers: 0 });
    else expect(node.debugCounts()).toMatchObject({ connections: 31, newcomers: 31 });
    if (lingers) {
      expect(upgrade("10.0.0.1")).toMatchObject(FULL);
      pass(LINGER_MS - 1);
      expect(upgrade("10.0.0.1")).toMatchObject(FULL);
      pass(1);
    }
    expect(upgrade("10.0.0.1")).not.toHaveProperty("status");
  });
});
