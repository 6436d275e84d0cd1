import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { MAX_HEADERS } from "../../../../src/server/transport/transport.ts";
import {
  addressOf,
  bodyError,
  contentLengthOf,
  headError,
  readHandshake,
  readHeaders,
  splitUrl,
} from "../../../../src/server/transport/ws/node-head.ts";

function requestOf(fields: Partial<IncomingMessage>): IncomingMessage {
  return { httpVersion: "1.1", rawHeaders: ["Host", "x"], headers: {}, ...fields } as IncomingMessage;
}

describe("the head of a request", () => {
  const errorOf = (fields: Partial<IncomingMessage>) => headError(requestOf(fields), ["1.1", "1.0"])?.status;

  it("is of a version that is served", () => {
    expect(errorOf({})).toBeUndefined();
    expect(errorOf({ httpVersion: "1.0" })).toBeUndefined();
    expect(errorOf({ httpVersion: "2.0" })).toBe(400);
    expect(headError(requestOf({ httpVersion: "1.0" }), ["1.1"])?.status).toBe(400);
  });

  it("names its host once; HTTP/1.0 may leave it out", () => {
    expect(errorOf({ rawHeaders: [] })).toBe(400);
    expect(errorOf({ rawHeaders: ["Host", "x", "HOST", "x"] })).toBe(400);
    expect(errorOf({ rawHeaders: [], httpVersion: "1.0" })).toBeUndefined();
    expect(errorOf({ rawHeaders: ["Host", "x", "host", "x"], httpVersion: "1.0" })).toBe(400);
  });

  it("has no more headers than may be", () => {
    const headers = (count: number) => ["Host", "x", ...Array.from({ length: 2 * (count - 1) }, () => "x")];
    expect(errorOf({ rawHeaders: headers(MAX_HEADERS) })).toBeUndefined();
    expect(errorOf({ rawHeaders: headers(MAX_HEADERS + 1) })).toBe(431);
  });
});

it("a body comes with its length, or in chunks of HTTP/1.1", () => {
  const sized = requestOf({ headers: { "content-length": "5" } });
  const chunked = { headers: { "transfer-encoding": "Chunked" } };
  expect([bodyError(sized), contentLengthOf(sized)]).toEqual([undefined, 5]);
  expect(contentLengthOf(requestOf({}))).toBe(0);
  expect(bodyError(requestOf(chunked))).toBeUndefined();
  expect(contentLengthOf(requestOf(chunked))).toBe(Number.POSITIVE_INFINITY);
  expect(bodyError(requestOf({ ...chunked, httpVersion: "1.0" }))?.status).toBe(400);
  for (const coding of ["", "gzip", "gzip, chunked", "chunked, chunked"]) {
    expect(bodyError(requestOf({ headers: { "transfer-encoding": coding } }))?.status).toBe(400);
  }
});

it.each([
  ["/path", "/path", ""],
  ["/path?", "/path", ""],
  ["/path?a=1?b=2", "/path", "a=1?b=2"],
  ["?a", "", "a"],
  ["", "", ""],
])("the URL %j is a path and a query", (url, path, query) => {
  expect(splitUrl(url)).toEqual([path, query]);
});

it("handlers read some of the headers, and handshakes others", () => {
  const request = requestOf({
    headers: { host: "x", authorization: "a", cookie: "c", "sec-websocket-key": "k", upgrade: "websocket" },
  });
  expect(readHeaders(request)).toEqual({
    "accept-encoding": undefined,
    authorization: "a",
    "content-encoding": undefined,
    "content-type": undefined,
    "last-event-id": undefined,
    host: "x",
    "x-forwarded-for": undefined,
  });
  expect(readHandshake(request)).toEqual({
    upgrade: "websocket",
    connection: undefined,
    key: "k",
    version: undefined,
    protocol: undefined,
  });
});

it("the address of a client follows from its peer and what proxies say", () => {
  const clientAddress = (peer: string, forwardedFor: string | undefined) => `${peer} ${forwardedFor}`;
  const ask = (remoteAddress: string | undefined) =>
    addressOf(
      { clientAddress } as never,
      requestOf({ socket: { remoteAddress } as never, headers: { "x-forwarded-for": "a, b" } }),
    );
  expect(ask("192.0.2.1")).toBe("192.0.2.1 a, b");
  expect(ask(undefined)).toBe(" a, b");
});
