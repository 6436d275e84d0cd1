import { loadUws } from "../../src/server/transport/uws/load-uws.ts";
import type { UwsApp, UwsModule, UwsWebSocket } from "../../src/server/transport/uws/uws-types.ts";
import { createBaseline } from "./baseline.ts";
import { serveRequests } from "./ipc.ts";

// The gateway does not use the library's `publish`, so the gateway's types do not declare it.
type Publisher = UwsApp & { publish(topic: string, text: string, isBinary: boolean): boolean };
type Subscriber = UwsWebSocket<object> & { subscribe(topic: string): void };

const TOPIC = "view";
const uws = loadUws().uws as UwsModule;
const app = uws.App() as Publisher;
const baseline = createBaseline();
const publish = () => app.publish(TOPIC, baseline.text, false);

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
    const answer = baseline.receive(Buffer.from(message).toString(), subscribe, publish);
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
      response.writeHeader("content-type", "application/json; charset=utf-8").end(baseline.text);
    });
  });
});

app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
  if (socket === false) throw new Error("cannot listen");
  serveRequests(uws.us_socket_local_port(socket), (text) => {
    baseline.text = text;
  });
});
