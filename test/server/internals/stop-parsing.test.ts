import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { isResponseUnderWay } from "../../../src/server/internals/response-under-way.ts";
import { stopParsing } from "../../../src/server/internals/stop-parsing.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

it("node:http still makes no request of what follows in a packet after onIncoming has returned 2", async () => {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    stopParsing(request.socket);
    response.setHeader("connection", "close");
    response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  client.write(REQUEST.repeat(50));
  client.resume();
  await once(client, "close");
  expect(requests, "parser.onIncoming has changed: see internals/stop-parsing.ts").toBe(1);
  server.close();
});

it("node:http still says which response is under way on a socket", async () => {
  const states: boolean[] = [];
  const server = createServer((request, response) => {
    states.push(isResponseUnderWay(request.socket));
    response.writeHead(200, { "content-length": 2 });
    response.write("x");
    states.push(isResponseUnderWay(request.socket));
    response.end("y", () => setImmediate(() => states.push(isResponseUnderWay(request.socket))));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  client.write(REQUEST);
  client.resume();
  await expect
    .poll(() => states, {
      message: "_httpMessage of a socket has changed: see internals/response-under-way.ts",
    })
    .toEqual([false, true, false]);
  client.destroy();
  server.close();
});
