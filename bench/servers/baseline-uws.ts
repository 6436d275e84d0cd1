import { loadUws } from "../../src/server/transport/load-uws.ts";
import type { UwsApp, UwsModule, UwsWebSocket } from "../../src/server/transport/uws-types.ts";
import { createFloor } from "./baseline.ts";
import { serveQuestions } from "./ipc.ts";

// Publishing is the library's own way to reach many; the gateway does not use it, so its types leave it out.
type Publisher = UwsApp & { publish(topic: string, text: string, isBinary: boolean): boolean };
type Subscriber = UwsWebSocket<object> & { subscribe(topic: string): void };

const TOPIC = "view";
const uws = loadUws().uws as UwsModule;
const app = uws.App() as Publisher;
const floor = createFloor();
const publish = () => app.publish(TOPIC, floor.said, false);

app.ws<object>("/*", {
  maxPayloadLength: 1024 * 1024,
  maxBackpressure: 64 * 1024 * 1024,
  closeOnBackpressureLimit: false,
  idleTimeout: 0,
  maxLifetime: 0,
  sendPingsAutomatically: false,
  compression: uws.DISABLED,
  upgrade(response, request, context) {
    response.upgrade({}, request.getHeader("sec-websocket-key"), "", "", context);
  },
  open() {},
  message(webSocket, message) {
    const subscribe = () => (webSocket as Subscriber).subscribe(TOPIC);
    const answer = floor.receive(Buffer.from(message).toString(), subscribe, publish);
    if (answer !== undefined) webSocket.send(answer, false, false);
  },
  drain() {},
  ping() {},
  pong() {},
  close() {},
});

app.any("/*", (response) => {
  response.onAborted(() => {});
  const chunks: Buffer[] = [];
  response.onData((chunk, isLast) => {
    chunks.push(Buffer.from(chunk.slice(0)));
    if (!isLast) return;
    JSON.parse(Buffer.concat(chunks).toString());
    response.cork(() => {
      response.writeHeader("content-type", "application/json; charset=utf-8").end(floor.said);
    });
  });
});

app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
  if (socket === false) throw new Error("cannot listen");
  serveQuestions(uws.us_socket_local_port(socket), (text) => {
    floor.said = text;
  });
});
