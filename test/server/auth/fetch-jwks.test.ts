import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, expect, it } from "vitest";
import { fetchJwks, MAX_JWKS_BYTES } from "../../../src/server/auth/fetch-jwks.ts";

const SECRET_PATH = "/secret-path?key=secret";
let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${SECRET_PATH}`;
}

const failure = async (url: string, timeoutMs?: number): Promise<string> =>
  await fetchJwks(url, timeoutMs).then(
    () => "no failure",
    (error: Error) => error.message,
  );

it("fetches a text, compressed or not, up to the largest", async () => {
  const text = `"${"x".repeat(MAX_JWKS_BYTES - 2)}"`;
  const url = await serve((request, response) => {
    expect([request.method, request.url, request.headers.authorization]).toEqual([
      "GET",
      SECRET_PATH,
      undefined,
    ]);
    response.end(text);
  });
  expect(await fetchJwks(url)).toBe(text);
  const compressed = gzipSync("{}");
  server!.removeAllListeners("request");
  server!.on("request", (_request, response) =>
    response.writeHead(200, { "content-encoding": "gzip" }).end(compressed),
  );
  expect(await fetchJwks(url)).toBe("{}");
});

it.each<[string, RequestListener, RegExp]>([
  ["fails", (_, response) => response.writeHead(500).end(), /^answered with status 500$/],
  ["has nothing", (_, response) => response.writeHead(404).end("{}"), /^answered with status 404$/],
  [
    "redirects",
    (_, response) => response.writeHead(302, { location: "/elsewhere" }).end(),
    /^answered with status 302$/,
  ],
  [
    "sends one byte too many",
    (_, response) => response.end("x".repeat(MAX_JWKS_BYTES + 1)),
    /^answered with more than 262144 bytes$/,
  ],
  [
    "never stops sending",
    (_, response) => {
      const send = () => {
        if (!response.destroyed && response.write("x".repeat(65_536))) setImmediate(send);
      };
      response.on("drain", send);
      send();
    },
    /^answered with more than 262144 bytes$/,
  ],
  [
    "sends little that grows",
    (_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(2_000_000))),
    /^answered with more than 262144 bytes$/,
  ],
  ["hangs up", (request) => request.socket.destroy(), /^cannot be fetched \(\w+\)$/],
  [
    "hangs up within the body",
    (request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("{", () => request.socket.destroy());
    },
    /^cannot be fetched( \(\w+\))?$/,
  ],
])(
  "a server that %s is a failure, and the message repeats no part of the URL",
  async (_, listener, reason) => {
    const message = await failure(await serve(listener));
    expect(message).toMatch(reason);
    expect(message).not.toMatch(/secret|127\.0\.0\.1/);
  },
);

it.each<[string, RequestListener]>([
  ["before it answers", () => {}],
  [
    "within the body",
    (_request, response) => {
      response.writeHead(200);
      response.write("{");
    },
  ],
])("a server that is silent %s is late", async (_when, listener) => {
  expect(await failure(await serve(listener), 50)).toBe("did not answer in time");
});

it("a server that is down is a failure", async () => {
  const url = await serve(() => {});
  server!.close();
  expect(await failure(url)).toBe("cannot be fetched (ECONNREFUSED)");
});
