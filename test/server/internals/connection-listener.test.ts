import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it } from "vitest";
import { takeConnectionListener } from "../../../src/server/internals/connection-listener.ts";

it("node:http still reads a connection with the one listener that a new server has", async () => {
  const message = 'the listener for "connection" has changed: see internals/connection-listener.ts';
  const server = createServer((_request, response) => response.end("parsed"));
  expect(server.listenerCount("connection"), message).toBe(1);
  const parse = takeConnectionListener(server);
  expect(server.listenerCount("connection"), message).toBe(0);
  const seen: Socket[] = [];
  server.on("connection", (tcp) => {
    seen.push(tcp);
    // The first connection gets no parser.
    if (seen.length === 1) tcp.end();
    else parse(tcp);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ask = async () => {
    const tcp = connect((server.address() as AddressInfo).port, "127.0.0.1");
    tcp.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return await text(tcp);
  };
  expect(await ask(), message).toBe("");
  expect(await ask(), message).toMatch(/^HTTP\/1.1 200 OK\r\n.*parsed$/s);
  expect(seen).toHaveLength(2);
  for (const tcp of seen) tcp.destroy();
  server.close();
});
