import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { createBaseline } from "./baseline.ts";
import { serveRequests } from "./ipc.ts";

const baseline = createBaseline();
const subscribers = new Set<WebSocket>();
const publish = () => {
  const bytes = Buffer.from(baseline.text);
  for (const subscriber of subscribers) subscriber.send(bytes, { binary: false });
};

const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  JSON.parse(Buffer.concat(chunks).toString());
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(baseline.text),
  });
  response.end(baseline.text);
});
const webSockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false });
webSockets.on("connection", (webSocket) => {
  webSocket.on("error", () => {});
  webSocket.on("close", () => subscribers.delete(webSocket));
  webSocket.on("message", (data: Buffer) => {
    const answer = baseline.receive(data.toString(), () => subscribers.add(webSocket), publish);
    if (answer !== undefined) webSocket.send(answer);
  });
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4_096 }, () => {
  serveRequests((server.address() as AddressInfo).port, (text) => {
    baseline.text = text;
  });
});
