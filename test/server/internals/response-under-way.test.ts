import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { isResponseUnderWay } from "../../../src/server/internals/response-under-way.ts";

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
  client.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  client.resume();
  await expect
    .poll(() => states, {
      message: "_httpMessage of a socket has changed: see internals/response-under-way.ts",
    })
    .toEqual([false, true, false]);
  client.destroy();
  server.close();
});
