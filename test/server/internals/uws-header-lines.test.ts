import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { writeHeaderLines } from "../../../src/server/internals/uws-header-lines.ts";
import { MAX_HEADER_BYTES } from "../../../src/server/transport/transport.ts";
import { loadUws } from "../../../src/server/transport/uws/load-uws.ts";
import type { UwsListenSocket } from "../../../src/server/transport/uws/uws-types.ts";

const loaded = loadUws();

it.skipIf(loaded.uws === undefined)(
  "uWebSockets.js still writes header lines as they are, and takes heads as long as it was told",
  async () => {
    const uws = loaded.uws!;
    const app = uws.App();
    app.any("/*", (response) => {
      writeHeaderLines(response, { "x-one": "1", "x-two": "2", "x-three": "3" });
      response.end("body");
    });
    const socket = await new Promise<UwsListenSocket | false>((resolve) => {
      app.listen("127.0.0.1", 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve);
    });
    expect(socket).not.toBe(false);
    if (socket === false) return;
    const path = `/${"x".repeat(MAX_HEADER_BYTES - 1_024)}`;
    const request = httpRequest({
      port: uws.us_socket_local_port(socket),
      host: "127.0.0.1",
      path,
      agent: false,
    });
    request.end();
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode, "the head is refused: see internals/uws-header-limit.ts").toBe(200);
    expect(response.headers, "headers are lost: see internals/uws-header-lines.ts").toMatchObject({
      "x-one": "1",
      "x-two": "2",
      "x-three": "3",
    });
    await once(response, "close");
    uws.us_listen_socket_close(socket);
    app.close();
  },
);
