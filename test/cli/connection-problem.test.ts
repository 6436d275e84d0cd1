import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { connectionProblem } from "../../src/cli/connection-problem.ts";
import { connectTo } from "../../src/cli/gateway-client.ts";
import { callApi } from "../../src/cli/http-api.ts";

const SAYS = /TLS fails there \(\w+\): does the address begin with http:\/\/ instead of https:\/\/\?$/;

test("has the message, else the code", () => {
  expect(connectionProblem(Object.assign(new Error("refused"), { code: "ECONNREFUSED" }))).toBe("refused");
  expect(connectionProblem(Object.assign(new Error(""), { code: "ECONNREFUSED" }))).toBe("ECONNREFUSED");
  expect(connectionProblem(new Error(""))).toBe("the connection failed");
});

test("says over HTTP and over a WebSocket that https was probably meant to be http", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const target = { url, appId: "shop", secret: undefined, token: "a.b.c" };
  await expect(callApi(target, { method: "GET", path: "stats" })).rejects.toThrow(SAYS);
  const { client, unreachable, close } = connectTo(target);
  client.query({}).catch(() => {});
  await expect(unreachable).rejects.toThrow(SAYS);
  await close();
  await new Promise((resolve) => server.close(resolve));
});
