import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { nanoid } from "nanoid";
import { type WebSocket, WebSocketServer } from "ws";
import { SECRET } from "../servers/app.ts";
import { serveRequests } from "../servers/ipc.ts";
import { userOf } from "./tokens.ts";

// A simple server, written in an afternoon: a Map of rows, and a loop over all sockets for each event.
// It supports the part of presence.v1 that the benchmarks use.

interface Row {
  readonly sessionId: string;
  selectedConversationId: string | null;
  hasFocus: boolean;
  isTyping: boolean;
  custom: Record<string, string>;
}

interface Client {
  userId: string;
  row?: Row;
  watched?: string;
}

type Message =
  | { readonly type: "connect"; readonly token: string }
  | ({ readonly type: "open" | "update"; readonly id?: number } & Partial<Row>)
  | { readonly type: "subscribe"; readonly id: number; readonly filter: { selectedConversationId: string } };

const clients = new Map<WebSocket, Client>();

function usersIn(conversation: string | null): Record<string, object> {
  const users: Record<string, object> = {};
  for (const { userId, row } of clients.values())
    if (row?.selectedConversationId === conversation) users[userId] = presenceOf(row);
  return users;
}

function presenceOf(row: Row): object {
  return { status: "online", backgroundSessions: [], widgets: [row] };
}

function broadcast(conversation: string | null, userId: string, value: object | null): void {
  const text = JSON.stringify({ type: "diff", data: { [userId]: value } });
  for (const [socket, { watched }] of clients) if (watched === conversation) socket.send(text);
}

async function receive(client: Client, message: Message): Promise<object | undefined> {
  if (message.type === "connect") {
    client.userId = (await userOf(message.token)) ?? "";
    return { type: "connected", userId: client.userId };
  }
  if (message.type === "subscribe") {
    client.watched = message.filter.selectedConversationId;
    return { type: "snapshot", id: message.id, data: usersIn(client.watched) };
  }
  const { type, id, ...change } = message;
  const before = client.row?.selectedConversationId;
  const fresh = { selectedConversationId: null, hasFocus: false, isTyping: false, custom: {} };
  const row: Row = { ...fresh, sessionId: nanoid(), ...client.row, ...change };
  client.row = row;
  if (before !== undefined && before !== row.selectedConversationId) broadcast(before, client.userId, null);
  broadcast(row.selectedConversationId, client.userId, presenceOf(row));
  if (type === "open") return { type: "opened", id, sessionId: row.sessionId };
  return id === undefined ? undefined : { type: "ok", id };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.authorization !== `Bearer ${SECRET}`) return void response.writeHead(401).end();
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { selectedConversationId } = JSON.parse(Buffer.concat(chunks).toString());
  const text = JSON.stringify({ data: usersIn(selectedConversationId) });
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

const server = createServer(answer);
new WebSocketServer({ server }).on("connection", (socket) => {
  const client: Client = { userId: "" };
  clients.set(socket, client);
  socket.on("error", () => {});
  socket.on("message", async (data) => {
    const text = await receive(client, JSON.parse(data.toString()));
    if (text !== undefined) socket.send(JSON.stringify(text));
  });
  socket.on("close", () => {
    clients.delete(socket);
    if (client.row !== undefined) broadcast(client.row.selectedConversationId, client.userId, null);
  });
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
  serveRequests((server.address() as AddressInfo).port);
});
