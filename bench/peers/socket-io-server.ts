import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Server, type Socket } from "socket.io";
import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import type { UwsApp, UwsModule } from "../../src/server/transport/uws/uws-types.ts";
import { SECRET } from "../servers/app.ts";
import { serveRequests } from "../servers/ipc.ts";
import { userOf } from "./tokens.ts";

// Presence with rooms, as in the guides of Socket.IO. Middleware verifies the token. Members of a
// conversation are in one room and its watchers in another. A change goes to the room of the watchers.

interface State {
  readonly hasFocus: boolean;
  readonly isTyping: boolean;
  readonly selectedConversationId: string;
  readonly custom: Readonly<Record<string, string>>;
}
interface SocketData {
  userId: string | undefined;
  state: State | undefined;
}
interface FromClient {
  join(conversation: string, done: () => void): void;
  state(change: Partial<State>, done?: () => void): void;
  watch(conversation: string, done: (users: object) => void): void;
}
interface ToClient {
  state(userId: string | undefined, state: State | null): void;
}
type PresenceSocket = Socket<FromClient, ToClient, object, SocketData>;

const io = new Server<FromClient, ToClient, object, SocketData>({
  serveClient: false,
  // Like the other servers, it sends nothing without an event, so that no ping counts as an event.
  pingInterval: 3_600_000,
});
const here = (conversation: string) => `here:${conversation}`;
const watching = (conversation: string) => `watching:${conversation}`;

async function usersIn(conversation: string): Promise<object> {
  const sockets = await io.in(here(conversation)).fetchSockets();
  return Object.fromEntries(sockets.map(({ data: { userId, state } }) => [userId, state]));
}

function setState(socket: PresenceSocket, state: State): void {
  const { data } = socket;
  const before = data.state?.selectedConversationId;
  const { selectedConversationId: conversation } = state;
  data.state = state;
  if (before !== conversation) {
    if (before !== undefined) leave(socket, before);
    socket.join(here(conversation));
  }
  io.to(watching(conversation)).emit("state", data.userId, state);
}

function leave(socket: PresenceSocket, conversation: string): void {
  socket.leave(here(conversation));
  io.to(watching(conversation)).emit("state", socket.data.userId, null);
}

io.use(async (socket, next) => {
  try {
    socket.data.userId = await userOf(socket.handshake.auth.token);
    next();
  } catch {
    next(new Error("no valid token"));
  }
});
io.on("connection", (socket) => {
  socket.on("join", (conversation, done) => {
    setState(socket, { hasFocus: false, isTyping: false, selectedConversationId: conversation, custom: {} });
    done();
  });
  socket.on("state", (change, done) => {
    if (socket.data.state !== undefined) setState(socket, { ...socket.data.state, ...change });
    done?.();
  });
  socket.on("watch", async (conversation, done) => {
    socket.join(watching(conversation));
    done(await usersIn(conversation));
  });
  socket.on("disconnect", () => {
    if (socket.data.state !== undefined) leave(socket, socket.data.state.selectedConversationId);
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== `Bearer ${SECRET}`) return void response.writeHead(401).end();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = JSON.stringify(await usersIn(JSON.parse(Buffer.concat(chunks).toString()).conversation));
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

if (process.env.TRANSPORT === "uws") {
  const uws = loadUws().uws as UwsModule;
  const app: UwsApp = uws.App();
  io.attachApp(app);
  app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
    if (socket === false) throw new Error("cannot listen");
    serveRequests(uws.us_socket_local_port(socket));
  });
} else {
  const server = createServer(answer);
  io.attach(server);
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
    serveRequests((server.address() as AddressInfo).port);
  });
}
