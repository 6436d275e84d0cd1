import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { writeHeaderLines } from "../../../src/server/internals/uws-header-lines.ts";
import { loadUws } from "../../../src/server/transport/uws/load-uws.ts";
import type { UwsListenSocket } from "../../../src/server/transport/uws/uws-types.ts";
import { NO_UWS } from "../../support/transports.ts";
import { unless } from "../../support/unless.ts";

const loaded = loadUws();

unless(NO_UWS, it)("uWebSockets.js still writes header lines as they are", async () => {
  const uws = loaded.uws!;
  const app = uws.App();
  app.any("/*", (response) => {
    writeHeaderLines(response, { "x-one": "1", "x-two": "2", "x-three": "3" });
    response.end("body");
  });
  const socket = await new Promise<UwsListenSocket | false>((resolve) => {
    app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (socket === false) throw new Error("uWebSockets.js does not listen");
  const port = uws.us_socket_local_port(socket);
  const request = httpRequest({ port, host: "127.0.0.1", path: "/", agent: false });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  expect(response.headers, "headers are lost: see internals/uws-header-lines.ts").toMatchObject({
    "x-one": "1",
    "x-two": "2",
    "x-three": "3",
  });
  await once(response, "close");
  uws.us_listen_socket_close(socket);
  app.close();
});

describe("the call for all headers", () => {
  function callsFor(headers: Record<string, string>): [string, string][] {
    const calls: [string, string][] = [];
    writeHeaderLines({ writeHeader: (name, value) => calls.push([name, value]) }, headers);
    return calls;
  }

  it("is one, however many there are", () => {
    expect(callsFor({ a: "1" })).toEqual([["a", "1"]]);
    expect(callsFor({ a: "1", b: "2", c: "3" })).toEqual([["a", "1\r\nb: 2\r\nc: 3"]]);
  });

  it("is left out where there are none", () => {
    expect(callsFor({})).toEqual([]);
  });
});
