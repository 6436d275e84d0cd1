import { once } from "node:events";
import { createServer } from "node:http";
import type { Socket } from "node:net";
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
    if (seen.length === 1) tcp.destroy();
    else parse(tcp);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  await expect(fetch(`http://127.0.0.1:${port}/`), message).rejects.toThrow();
  const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } });
  expect(await response.text(), message).toBe("parsed");
  expect(seen).toHaveLength(2);
  server.close();
});
