import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CLOSE } from "../../../src/protocol/codes.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { Connection } from "../../../src/server/gateway/connection.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import { MessageDispatcher } from "../../../src/server/gateway/message-dispatcher.ts";
import type { Socket } from "../../../src/server/gateway/socket.ts";
import { APP_ID, SECRET, World } from "../../fuzz/targets/world.ts";

const token = await mintToken(APP_ID, SECRET, { tokenType: "user", sub: "alice" });

/** A socket without a network. The test is its client. */
class Peer implements Socket {
  readonly sent: Record<string, unknown>[] = [];
  readonly connection: Connection;
  readonly buffered = 0;
  readonly progress = 0;
  authorizations = 0;
  pings = 0;
  releases = 0;
  closedWith: number | undefined;
  isTerminated = false;

  constructor(world: World) {
    const release = () => void this.releases++;
    this.connection = new Connection(world.node, world.presence, this, {
      release,
      admitMessage: () => true,
      checkBudget: () => ({ takeChecks: () => true, returnChecks: () => {} }),
    });
  }

  send(frame: Frame): boolean {
    this.sent.push(JSON.parse(frame.text));
    return true;
  }
  authorized(): void {
    this.authorizations++;
  }
  ping(): void {
    this.pings++;
  }
  close(code: number): void {
    this.closedWith = code;
  }
  terminate(): void {
    this.isTerminated = true;
  }

  /** Sends a message, and returns the last answer. */
  say(message: object | string): Record<string, unknown> | undefined {
    const text = typeof message === "string" ? message : JSON.stringify(message);
    this.connection.onText(text, text.length);
    return this.sent.at(-1);
  }
}

let world: World;
let peer: Peer;

beforeEach(() => {
  world = new World();
  peer = new Peer(world);
});

/** Time passes for this connection. */
function wait(ms: number): void {
  world.time += ms;
  peer.connection.onDue(world.time);
}

it("expects a write after each text where the transport has it flush then, and nowhere else", () => {
  const flushing = Object.assign(new Peer(world), { flushesAfterText: true });
  const expectations = [peer, flushing].map((each) => {
    const expectWrite = vi.spyOn(each.connection.sendQueue, "expectWrite");
    each.say({ type: "connect", token });
    each.say({ type: "ping" });
    return expectWrite.mock.calls.length;
  });
  expect(expectations).toEqual([0, 2]);
});

describe("a new connection", () => {
  it("connects with a token", () => {
    expect(peer.say({ type: "connect", id: 1, token })).toMatchObject({
      type: "connected",
      id: 1,
      userId: "alice",
    });
    expect(peer.authorizations).toBe(1);
    expect(peer.say({ type: "ping", id: 2 })).toEqual({ type: "pong", id: 2 });
    expect(peer.say({ type: "connect", id: 3, token })).toMatchObject({ type: "error", code: "BAD_MESSAGE" });
    expect(peer.closedWith).toBeUndefined();
  });

  it.each([
    ["another message", { type: "ping", id: 1 }],
    ["an invalid token", { type: "connect", id: 1, token: "a.b.c" }],
  ])("is closed after %s", (_name, message) => {
    expect(peer.say(message)).toMatchObject({ type: "error", id: 1, code: "UNAUTHENTICATED" });
    expect(peer.closedWith).toBe(CLOSE.unauthenticated.code);
    expect(peer.authorizations).toBe(0);
  });

  it("is closed if it does not connect in time", () => {
    wait(world.node.limits.connectTimeoutMs - 1);
    expect(peer.closedWith).toBeUndefined();
    wait(1);
    expect(peer.closedWith).toBe(CLOSE.connectTimeout.code);
  });
});

describe("a connection", () => {
  beforeEach(() => {
    peer.say({ type: "connect", token });
  });

  it.each([
    ["text that is not JSON", () => peer.say("{"), CLOSE.badMessages.code],
    ["a binary message", () => peer.connection.onBinary(), CLOSE.binary.code],
  ])("is closed after %s", (_name, act, code) => {
    act();
    expect(peer.closedWith).toBe(code);
  });

  it("is dropped if it leaves a ping unanswered, and not if it answers", () => {
    const { heartbeatIntervalMs } = world.node.limits;
    wait(heartbeatIntervalMs);
    expect(peer.pings).toBe(1);
    peer.connection.onControl();
    wait(heartbeatIntervalMs / 2);
    expect(peer.isTerminated).toBe(false);
    wait(heartbeatIntervalMs);
    expect(peer.pings).toBe(2);
    wait(heartbeatIntervalMs / 2);
    expect(peer.isTerminated).toBe(true);
  });

  it("is dropped if the client does not answer its close", () => {
    peer.connection.onBinary();
    wait(10_000);
    expect(peer.isTerminated).toBe(true);
    expect(peer.releases).toBe(1);
  });

  it("announces a drain once, and is closed after its delay", () => {
    peer.connection.drain(500);
    expect(peer.sent.at(-1)).toEqual({ type: "draining", reconnectInMs: 500 });
    wait(500);
    expect(peer.closedWith).toBe(CLOSE.draining.code);
  });

  it.each([
    ["a clean close ends its sessions", 1000, 0],
    ["a lost connection leaves its sessions for the resume window", 1006, 1],
  ])("%s", (_name, code, users) => {
    expect(peer.say({ type: "open", id: 1, kind: "widget" })).toMatchObject({ type: "opened" });
    expect(world.presence.table.counts().users).toBe(1);
    peer.connection.onClose(code);
    expect(world.presence.table.counts().users).toBe(users);
  });

  it("releases its place once, and does nothing after its end", () => {
    peer.connection.onClose(1006);
    peer.connection.onClose(1006);
    expect(peer.releases).toBe(1);
    expect(world.presence.sockets).toBe(0);
    const before = peer.sent.length;
    peer.say({ type: "ping", id: 9 });
    expect(peer.sent).toHaveLength(before);
  });
});

describe("a defect", () => {
  const crashes: unknown[] = [];

  beforeEach(() => {
    crashes.length = 0;
    vi.spyOn(world.node.telemetry, "crashed").mockImplementation((error) => void crashes.push(error));
    peer.say({ type: "connect", token });
    peer.say({ type: "open", kind: "widget" });
  });
  afterEach(() => void vi.restoreAllMocks());

  const defect = () => {
    throw new Error("a defect");
  };
  const sessions = () => world.presence.table.user("alice")?.sessions.length ?? 0;

  it("while a user's sockets are told that they were kicked ends one socket, and all sessions", () => {
    const other = new Peer(world);
    other.say({ type: "connect", token });
    other.say({ type: "open", kind: "widget" });
    peer.send = defect;
    expect(world.presence.transact(world.time, (life) => life.forceEndAll("alice"))).toBe(2);
    expect([sessions(), peer.closedWith, other.closedWith]).toEqual([0, CLOSE.crashed.code, undefined]);
    expect(other.sent.at(-1)).toMatchObject({ type: "closed", cause: "kicked" });
    expect(crashes).toHaveLength(1);
  });

  it("while it leaves does not keep its place, nor the socket", () => {
    vi.spyOn(MessageDispatcher.prototype, "release").mockImplementation(defect);
    expect(() => peer.connection.onClose(1000)).toThrow("a defect");
    expect([peer.releases, world.presence.sockets]).toEqual([1, 0]);
    expect(world.node.debugCounts()).toMatchObject({ managedConnections: 0, timers: 0 });

    const closed = new Peer(world);
    expect(() => closed.connection.onBinary()).toThrow("a defect");
    expect(closed.closedWith).toBe(CLOSE.binary.code);
    world.time += 60_000;
    expect(() => world.node.run(world.time)).not.toThrow();
    expect(closed.isTerminated).toBe(true);
    expect(world.presence.debugCounts().budgets).toBe(0);
  });

  it("while it is closed, and the transport ends it at once, leaves nothing behind", () => {
    vi.spyOn(peer.connection.sendQueue, "close").mockImplementation(() => peer.connection.onClose(1006));
    peer.connection.onBinary();
    expect([peer.releases, sessions()]).toEqual([1, 1]);
    expect(world.node.debugCounts()).toMatchObject({ managedConnections: 0, timers: 0 });
  });
});
