import { createHmac } from "node:crypto";
import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, textFrame } from "../load/light-socket.ts";
import { APP, SECRET } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { procMissing } from "./proc.ts";
import { findSockudo, sockudoVersion } from "./sockudo-program.ts";
import { changesOf, type WholeState, wholeState } from "./whole-state.ts";

// The Pusher protocol. The members of a conversation and its watchers subscribe to its private channel, and
// the members send client events there. A presence channel would also tell who is there, but it tells every
// member of every other: that a thousand users come in takes half a million messages. Pusher itself allows
// it a hundred members.

const PATH = `/app/${APP.id}?protocol=7&client=js&version=8.4.0`;
const STATE = "client-state";
const SUBSCRIBED = "pusher_internal:subscription_succeeded";
const PING = textFrame({ event: "pusher:ping", data: {} });
const PONG = "pusher:pong";

interface Message {
  readonly event: string;
  /** JSON, or an object if a client sent the event. */
  readonly data?: unknown;
}

/** The server gives each socket an id, which is part of what is signed. */
const socketIds = new WeakMap<LightSocket, string>();

const dialect: Dialect = {
  coalesces: false,
  open,
  async enter(socket, token, conversation) {
    const channel = await subscribe(socket, conversation);
    const after = wholeState(token, conversation);
    const frame = (change: Change) => textFrame({ event: STATE, channel, data: after(change) });
    return {
      socket,
      frame,
      async request(change) {
        socket.write(frame(change));
        await answer(socket, PING, PONG);
      },
    };
  },
  async watch(port, _token, conversation) {
    const socket = await open(port);
    await subscribe(socket, conversation);
    return socket;
  },
  changesIn(text) {
    const { event, data } = JSON.parse(text.toString()) as Message;
    return event === STATE ? changesOf(data as WholeState) : [];
  },
};

async function open(port: number): Promise<LightSocket> {
  const socket = await LightSocket.open(port, PATH);
  const { event, data } = JSON.parse(await socket.next()) as Message;
  if (event !== "pusher:connection_established") throw new Error(`unexpected event: ${event}`);
  socketIds.set(socket, JSON.parse(data as string).socket_id);
  return socket;
}

/** Signs the subscription as the server of an app does for its users, and resolves with the channel. */
async function subscribe(socket: LightSocket, conversation: string): Promise<string> {
  const channel = `private-${conversation}`;
  const signature = createHmac("sha256", SECRET)
    .update(`${socketIds.get(socket)}:${channel}`)
    .digest("hex");
  const data = { channel, auth: `${APP.id}:${signature}` };
  await answer(socket, textFrame({ event: "pusher:subscribe", data }), SUBSCRIBED);
  return channel;
}

/** Writes a frame. Resolves when the answer arrives, and rejects if it is an error. */
async function answer(socket: LightSocket, frame: Buffer, event: string): Promise<void> {
  const text = await socket.request(frame, (text) => text.includes(event) || text.includes("error"));
  if (!text.includes(event)) throw new Error(`unexpected message: ${text.slice(0, 200)}`);
}

export const sockudo: ServerKind = {
  name: "sockudo",
  role: "peer",
  about: () =>
    `Sockudo ${sockudoVersion(findSockudo()!)}, in memory, with a private channel per conversation and ` +
    "client events; it checks the app's signature, forwards messages and keeps no state; more than half of " +
    "its memory per socket is a queue, which by default has room for 1,000 messages",
  dialect,
  scenarios: ["fan-out", "queued-fan-out", "burst", "idle", "gross-memory", "connect"],
  missing: async () => {
    if (findSockudo() !== undefined) return procMissing();
    return (
      'RUSTFLAGS="--cfg tokio_unstable" cargo install sockudo --version 5.0.1 --locked, ' +
      "which needs Rust 1.94 and protoc"
    );
  },
  start: () => ServerProcess.start(new URL("sockudo-server.js", import.meta.url), "sockudo"),
};
