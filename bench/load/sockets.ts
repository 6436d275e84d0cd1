import { APP } from "../servers/app.ts";
import { LightSocket, textFrame } from "./light-socket.ts";

const AT_ONCE = 50;

/** Calls `make` `count` times with bounded concurrency. The results are in the order of the indexes. */
export async function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> {
  const results = new Array<T>(count);
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < count; i = next++) results[i] = await make(i);
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
  return results;
}

export function openSocket(port: number): Promise<LightSocket> {
  return LightSocket.open(port, `/v1/${APP.id}/realtime`);
}

export async function connectSocket(port: number, token: string): Promise<LightSocket> {
  const socket = await openSocket(port);
  await showToken(socket, token);
  return socket;
}

/** Authenticates. Resolves with the id of the node or worker that serves the socket. */
export async function showToken(socket: LightSocket, token: string): Promise<string> {
  return expect(await socket.request(textFrame({ type: "connect", token })), "connected").nodeId as string;
}

export interface SessionFields {
  readonly userId?: string;
  readonly selectedConversationId?: string;
  readonly custom?: Readonly<Record<string, string>>;
}

/** Opens a visible widget and resolves with its session id. */
export async function openSession(socket: LightSocket, fields: SessionFields): Promise<string> {
  const frame = textFrame({ type: "open", id: 1, kind: "widget", ...fields });
  return expect(await socket.request(frame), "opened").sessionId as string;
}

export async function closeAll(sockets: readonly LightSocket[]): Promise<void> {
  await times(sockets.length, (i) => sockets[i]!.close());
}

/**
 * Resolves when the sockets together have received `count` more text frames. Calls `onEach` for each frame.
 */
export function received(
  sockets: readonly LightSocket[],
  count: number,
  onEach: () => void = () => {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = count;
    // One socket is enough: a server that dies drops all of them.
    const stop = sockets[0]!.onGone(reject);
    const onText = () => {
      onEach();
      left--;
      if (left > 0) return;
      stop();
      resolve();
    };
    for (const socket of sockets) socket.onText = onText;
  });
}

const QUIET_MS = 150;

/** Resolves when the sockets have received nothing for a while. */
export async function quiet(sockets: readonly LightSocket[]): Promise<void> {
  const count = () => sockets.reduce((sum, socket) => sum + socket.received, 0);
  for (let last = -1; last !== count(); ) {
    last = count();
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  }
}

export function expect(text: string, type: string): Record<string, unknown> {
  const message = JSON.parse(text) as Record<string, unknown>;
  if (message.type !== type) throw new Error(`expected ${type}, but got ${text.slice(0, 200)}`);
  return message;
}
