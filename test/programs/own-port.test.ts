import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it } from "vitest";
import { OwnPorts, ownPort, rangeBeside } from "./own-port.ts";

it("no two processes share a port, and each gets as many ports as it requests", async ({
  onTestFinished,
}) => {
  const processes = [new OwnPorts(), new OwnPorts(), new OwnPorts()];
  onTestFinished(async () => {
    for (const ports of processes) await ports.release();
  });
  const taken = await Promise.all(
    processes.flatMap((ports) => Array.from({ length: 80 }, () => ports.take())),
  );
  expect(new Set(taken).size).toBe(taken.length);
});

it("a port that is in use is skipped", async ({ onTestFinished }) => {
  const ports = new OwnPorts();
  onTestFinished(() => ports.release());
  const other = createServer().listen((await ports.take()) + 1, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  expect(await ports.take()).toBe(port + 1);
});

it("a port is outside the range that the system assigns", async () => {
  expect(rangeBeside({ first: 32_768, last: 60_999 })).toEqual({ first: 12_000, last: 29_999 });
  expect(rangeBeside({ first: 20_000, last: 60_999 })).toEqual({ first: 12_000, last: 19_999 });
  expect(rangeBeside({ first: 1_024, last: 60_999 })).toEqual({ first: 61_000, last: 65_535 });
  expect(rangeBeside({ first: 1_024, last: 65_535 })).toEqual({ first: 12_000, last: 29_999 });
  expect(await ownPort()).not.toBe(await ownPort());
});
