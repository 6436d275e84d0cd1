import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { bytesTaken } from "../../../src/server/internals/bytes-taken.ts";

it("a socket's handle still says how many bytes the kernel took", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const client = connect(port, "127.0.0.1");
  const [accepted] = (await once(server, "connection")) as [Socket];
  const message = "_handle of a net.Socket has no byte counts any more: see internals/bytes-taken.ts";
  accepted.write("x".repeat(1_000));
  await expect.poll(() => bytesTaken(accepted), { message }).toBe(1_000);
  // The client does not read: what the kernel has no room for waits here, and is not counted.
  const length = 64 * 1024 * 1024;
  accepted.write(Buffer.alloc(length));
  const taken = bytesTaken(accepted);
  expect(taken, message).toBeGreaterThan(1_000);
  expect(taken, message).toBeLessThan(1_000 + length);
  client.resume();
  await expect.poll(() => bytesTaken(accepted), { message }).toBe(1_000 + length);
  client.destroy();
  accepted.destroy();
  server.close();
});
