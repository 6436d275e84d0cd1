import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { expect, it } from "vitest";
import { freePort, listenError, listenErrorCode } from "../../../src/server/transport/listen-error.ts";

it.each([
  ["EADDRINUSE", /another program uses this port.* PORT/],
  ["EACCES", /may not use this port.* PORT/],
  ["EADDRNOTAVAIL", /no such address.* HOST/],
  ["ENOTFOUND", /no such name.* HOST/],
  ["EWHATEVER", /HOST and PORT/],
])("%s is one line that says what to set", (code, expected) => {
  const error = listenError("127.0.0.1", 8080, code);
  expect(error).toMatchObject({ code });
  expect(error.message).toMatch(/^cannot listen on 127\.0\.0\.1:8080 \(E[A-Z]+\): [^\n]+$/);
  expect(error.message).toMatch(expected);
});

it("a port is most probably in use where the system says nothing", () => {
  expect(listenError("127.0.0.1", 8080, undefined)).toMatchObject({ code: "EADDRINUSE" });
});

it("finds out why a port cannot be listened on, or that it can", async ({ onTestFinished }) => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await listenErrorCode("127.0.0.1", port)).toBe("EADDRINUSE");
  expect(await listenErrorCode("192.0.2.1", 0)).toBe("EADDRNOTAVAIL");
  expect(await listenErrorCode("127.0.0.1", 0)).toBeUndefined();
});

it("finds a port that is free, or says why there is none", async () => {
  const port = await freePort("127.0.0.1");
  expect(port).toBeGreaterThan(0);
  await expect(freePort("192.0.2.1")).rejects.toThrow(/^cannot listen on 192\.0\.2\.1:0 \(EADDRNOTAVAIL\)/);
});
