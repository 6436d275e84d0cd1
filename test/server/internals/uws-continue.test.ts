import { once } from "node:events";
import { connect } from "node:net";
import { expect, it } from "vitest";
import { afterContinue, sendContinue } from "../../../src/server/internals/uws-continue.ts";
import { loadUws } from "../../../src/server/transport/uws/load-uws.ts";
import type { UwsListenSocket } from "../../../src/server/transport/uws/uws-types.ts";
import { NO_UWS } from "../../support/transports.ts";
import { unless } from "../../support/unless.ts";

const { uws } = loadUws();

unless(NO_UWS, it)("a response goes on after 100 Continue", async () => {
  const app = uws!.App();
  app.any("/*", (response) => {
    response.onAborted(() => {});
    sendContinue(response);
    response.onData((bytes, isLast) => {
      if (!isLast) return;
      const text = Buffer.from(bytes).toString();
      response.writeHeader(afterContinue("201 Created", "a"), "1");
      response.end(text);
    });
  });
  const socket = await new Promise<UwsListenSocket>((resolve) => {
    app.listen("127.0.0.1", 0, uws!.LIBUS_LISTEN_EXCLUSIVE_PORT, (made) => made && resolve(made));
  });
  const tcp = connect(uws!.us_socket_local_port(socket), "127.0.0.1");
  tcp.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n");
  const [first] = await once(tcp, "data");
  expect(String(first)).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  tcp.write("hello");
  const [answer] = await once(tcp, "data");
  expect(String(answer)).toMatch(/^HTTP\/1\.1 201 Created\r\na: 1\r\n.*\r\n\r\nhello$/s);
  tcp.destroy();
  app.close();
});
