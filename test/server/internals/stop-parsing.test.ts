import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { stopParsing } from "../../../src/server/internals/stop-parsing.ts";

const REQUEST = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

it("node:http still skips the rest of a packet after onIncoming has returned 2", async () => {
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
