import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, rawTextFrame } from "../load/light-socket.ts";
import { uwsMissing } from "../servers/own-kinds.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { packageVersion } from "./package-version.ts";

// An Engine.IO packet is a digit and text: 0 open, 4 message. A message contains a Socket.IO packet: a digit,
// an optional acknowledgement id, and JSON. The digits are 0 connect, 2 event, 3 acknowledgement.
const EVENT = "42";
const event = (name: string, ...args: unknown[]) =>
  rawTextFrame(`${EVENT}${JSON.stringify([name, ...args])}`);
const asked = (name: string, ...args: unknown[]) => rawTextFrame(`421${JSON.stringify([name, ...args])}`);
const ANSWER = "431";

const dialect: Dialect = {
  coalesces: false,
  open,
  async enter(socket, token, conversation) {
    await showToken(socket, token);
    expect(await socket.request(asked("join", conversation)), ANSWER);
    return {
      socket,
      frame: (change: Change) => event("state", change),
      request: async (change) => expect(await socket.request(asked("state", change)), ANSWER),
    };
  },
  async watch(port, token, conversation) {
    const socket = await open(port);
    await showToken(socket, token);
    expect(await socket.request(asked("watch", conversation)), ANSWER);
    return socket;
  },
  changesIn(text) {
    const [, userId, state] = JSON.parse(text.toString("utf8", EVENT.length));
    return [[userId, state && { widgets: [state] }]];
  },
};

const query: NonNullable<Dialect["query"]> = (conversation) => ({
  path: "/",
  body: JSON.stringify({ conversation }),
  users: (answer) => Object.keys(JSON.parse(answer)).length,
});

/** Socket.IO 4 with rooms, on its own version of ws and on uWebSockets.js. */
export const socketIo = kind("socket.io", "ws");
export const socketIoUws = kind("socket.io-uws", "uws");

function kind(name: string, transport: "ws" | "uws"): ServerKind {
  return {
    name,
    role: "peer",
    onlyInFullRuns: true,
    about: () =>
      `Socket.IO ${packageVersion("socket.io")} on ${transport === "ws" ? "ws" : "uWebSockets.js"}, ` +
      "WebSocket only: the members of a conversation are one room, its watchers another",
    dialect: transport === "ws" ? { ...dialect, query } : dialect,
    async missing() {
      try {
        packageVersion("socket.io");
      } catch {
        return "npm install";
      }
      return transport === "uws" ? uwsMissing() : undefined;
    },
    start: () =>
      ServerProcess.start(new URL("socket-io-server.js", import.meta.url), name, { TRANSPORT: transport }),
  };
}

async function open(port: number): Promise<LightSocket> {
  const socket = await LightSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  expect(await socket.next(), "0");
  return socket;
}

async function showToken(socket: LightSocket, token: string): Promise<void> {
  expect(await socket.request(rawTextFrame(`40${JSON.stringify({ token })}`)), "40");
}

function expect(text: string, start: string): void {
  if (!text.startsWith(start)) throw new Error(`expected ${start}…, but got ${text.slice(0, 200)}`);
}
