import { setTimeout as delay } from "node:timers/promises";
import { mintToken } from "../../src/server/auth/mint.ts";
import { APP, SECRET } from "../servers/app.ts";
import { LightSocket, textFrame } from "./light-socket.ts";
import { expect, openSession, showToken, times } from "./sockets.ts";

// What one user of an app may do to the others in it. All of it comes from one address, and each attacker
// goes on when the gateway refuses something.

/** Sets an attack up. Resolves with the attack itself, which never ends. */
type Attack = (port: number) => Promise<() => Promise<never>>;

const ADDRESS = "127.0.0.66";
const PATH = `/v1/${APP.id}/realtime`;
const MALLORY = "mallory";
const CONVERSATION = "conversation-of-mallory";

const WATCHERS = 100;
const VIEWS_EACH = 100;
const STATUSES_PER_SECOND = 50;

const SOCKETS = 10;
/** As often as a socket may send. */
const FILTERS_PER_SECOND = 50;
const FLOOD_PER_SECOND = 500;
const STRANGERS_PER_SECOND = 2_000;
const BATCH_MS = 20;
const COME_BACK_MS = 100;

export const ATTACKS = {
  /** 10,000 views show a user, who changes the status as often as a socket may send. */
  async "a status in 10,000 views"(port) {
    await times(WATCHERS, async (i) => {
      const watcher = await connectAs(`accomplice-${i}`, port);
      const subscribes = Array.from({ length: VIEWS_EACH }, (_, id) =>
        textFrame({ type: "subscribe", id, filter: { userIds: [MALLORY, `nobody-${i}-${id}`] } }),
      );
      for (const subscribe of subscribes) {
        await watcher.request(subscribe);
        // They are a few more than a socket may send at once.
        await delay(2);
      }
    });
    const mallory = await connectAs(MALLORY, port);
    await mallory.request(textFrame({ type: "open", id: 1, kind: "widget" }));
    let count = 0;
    return () =>
      forever(1_000 / STATUSES_PER_SECOND, () =>
        mallory.write(textFrame({ type: "status", availability: count++ % 2 === 0 ? "busy" : "dnd" })),
      );
  },
  /** Ten sockets subscribe to the largest filters that there may be, and drop each one that is taken. */
  async "large filters"(port) {
    let count = 0;
    const subscribe = (id: number) => textFrame({ type: "subscribe", id, filter: largeFilter(count++) });
    // If even the first one were refused, only refusals would be measured.
    const first = await connectAs(MALLORY, port);
    expect(await first.request(subscribe(0)), "snapshot");
    return floodOf(port, FILTERS_PER_SECOND, (id) => subscribe(id), drop);
  },
  /** Ten sockets of a user send ten times as many updates as they may. */
  async "ten times the updates"(port) {
    let count = 0;
    return floodOf(port, FLOOD_PER_SECOND, (_, sessionId) =>
      textFrame({ type: "update", sessionId, isTyping: count++ % 2 === 0 }),
    );
  },
  /** 2,000 connections a second without a valid token. */
  "2,000 strangers a second": async (port) => () =>
    forever(BATCH_MS, () => {
      for (let i = 0; i < (STRANGERS_PER_SECOND * BATCH_MS) / 1_000; i++) void beRefused(port);
    }),
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof ATTACKS;

async function connectAs(userId: string, port: number): Promise<LightSocket> {
  const claims = { tokenType: "user", sub: userId, read: "all" } as const;
  const token = await mintToken(APP.id, SECRET, claims);
  const socket = await LightSocket.open(port, PATH, { localAddress: ADDRESS });
  await showToken(socket, token);
  return socket;
}

/** Sends this many frames a second over each of some sockets, which come back when they are closed. */
async function floodOf(
  port: number,
  perSecond: number,
  frameOf: (id: number, sessionId: string) => Buffer,
  onText: (socket: LightSocket, payload: Buffer) => void = () => {},
): Promise<() => Promise<never>> {
  const sessions = new Map<LightSocket, string>();
  const join = async () => {
    const socket = await connectAs(MALLORY, port);
    try {
      sessions.set(socket, await openSession(socket, { selectedConversationId: CONVERSATION }));
    } catch (error) {
      socket.cut();
      throw error;
    }
    socket.onText = (payload) => onText(socket, payload);
    socket.onGone(() => {
      sessions.delete(socket);
      void joinAgain();
    });
  };
  const joinAgain = async (): Promise<void> => {
    await delay(COME_BACK_MS);
    await join().catch(joinAgain);
  };
  await times(SOCKETS, join);
  let id = 0;
  return () =>
    forever(BATCH_MS, () => {
      for (const [socket, sessionId] of sessions)
        for (let i = 0; i < (perSecond * BATCH_MS) / 1_000; i++) socket.write(frameOf(++id, sessionId));
    });
}

/** Unsubscribes from the view of a snapshot. */
function drop(socket: LightSocket, payload: Buffer): void {
  const message = JSON.parse(payload.toString()) as { type: string; view?: string };
  if (message.type === "snapshot") socket.write(textFrame({ type: "unsubscribe", view: message.view }));
}

/**
 * Four keys with 16 values of 512 characters, another one each time. The conversation is there because the
 * app indexes none of the keys.
 */
export function largeFilter(count: number): object {
  const values = (key: string) =>
    Array.from({ length: 16 }, (_, i) => `${count} ${key} ${i}`.padEnd(512, "x"));
  const custom = Object.fromEntries(["a", "b", "c", "d"].map((key) => [key, values(key)]));
  return { selectedConversationId: CONVERSATION, custom };
}

async function beRefused(port: number): Promise<void> {
  try {
    const socket = await LightSocket.open(port, PATH, { localAddress: ADDRESS });
    socket.write(textFrame({ type: "connect", token: "no token at all" }));
  } catch {
    // The gateway has refused the connection, as it should.
  }
}

/** Acts again and again. Never resolves. */
function forever(everyMs: number, act: () => void): Promise<never> {
  return new Promise(() => {
    setInterval(act, everyMs);
  });
}
