import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { afterEach, expect, it } from "vitest";
import { setUwsHeaderLimit } from "../../../src/server/internals/uws-header-limit.ts";
import { MAX_HEADER_BYTES } from "../../../src/server/transport/transport.ts";
import { loadUws } from "../../../src/server/transport/uws/load-uws.ts";
import type { UwsListenSocket } from "../../../src/server/transport/uws/uws-types.ts";
import { NO_UWS } from "../../support/transports.ts";
import { unless } from "../../support/unless.ts";

const loaded = loadUws();
const before = process.env.UWS_HTTP_MAX_HEADERS_SIZE;

afterEach(() => {
  if (before === undefined) delete process.env.UWS_HTTP_MAX_HEADERS_SIZE;
  else process.env.UWS_HTTP_MAX_HEADERS_SIZE = before;
});

it("a limit that the operator has set is kept", () => {
  delete process.env.UWS_HTTP_MAX_HEADERS_SIZE;
  setUwsHeaderLimit(1_000);
  setUwsHeaderLimit(2_000);
  expect(process.env.UWS_HTTP_MAX_HEADERS_SIZE).toBe("1000");
});

unless(NO_UWS, it)("uWebSockets.js still accepts heads up to the limit", async () => {
  const uws = loaded.uws!;
  const app = uws.App();
  app.any("/*", (response) => void response.end("body"));
  const socket = await new Promise<UwsListenSocket | false>((resolve) => {
    app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
  });
  if (socket === false) throw new Error("uWebSockets.js does not listen");
  const port = uws.us_socket_local_port(socket);
  const path = `/${"x".repeat(MAX_HEADER_BYTES - 1_024)}`;
  const request = httpRequest({ port, host: "127.0.0.1", path, agent: false });
  request.end();
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.resume();
  expect(response.statusCode, "the head is refused: see internals/uws-header-limit.ts").toBe(200);
  await once(response, "close");
  uws.us_listen_socket_close(socket);
  app.close();
});
