import { describe, expect, it } from "vitest";
import { SUBPROTOCOL } from "../../../src/protocol/wire.ts";
import {
  type HandshakeHeaders,
  handshakeError,
  isForwardingHeader,
  isWebSocketRequest,
  offersSubprotocol,
  realtimeAppId,
  refusalResponse,
} from "../../../src/server/transport/transport.ts";
import { jsonOf } from "../../support/http-handler.ts";

const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const handshake = (fields: Partial<HandshakeHeaders> = {}): HandshakeHeaders => ({
  upgrade: "websocket",
  connection: "Upgrade",
  key: KEY,
  version: "13",
  protocol: undefined,
  ...fields,
});

describe("the app of a path", () => {
  it.each([
    ["/v1/app/realtime", "app"],
    ["/v1/a%2Fb/realtime", "a/b"],
    ["/v1/%C3%A9/realtime", "é"],
    ["/%76%31/app/real%74ime", "app"],
    ["/v1//realtime", undefined],
    ["/v1/app/realtime/", undefined],
    ["/v1/app/realtime/x", undefined],
    ["/v2/app/realtime", undefined],
    ["v1/app/realtime", undefined],
    ["/v1/%zz/realtime", undefined],
    ["", undefined],
  ])("%j is %j", (path, appId) => {
    expect(realtimeAppId(path)).toBe(appId);
  });
});

describe("a GET asks for a WebSocket", () => {
  it.each<Partial<HandshakeHeaders>>([
    {},
    { upgrade: "WebSocket" },
    { connection: "keep-alive, UPGRADE" },
    { connection: "upgrade,close" },
    { version: undefined },
  ])("with %j", (fields) => {
    expect(isWebSocketRequest(handshake(fields))).toBe(true);
  });

  it.each<Partial<HandshakeHeaders>>([
    { upgrade: undefined },
    { upgrade: "h2c" },
    { upgrade: "websocket, h2c" },
    { connection: undefined },
    { connection: "keep-alive" },
    { connection: "upgrades" },
    { key: undefined },
    { key: "short==" },
    { key: `${KEY}, ${KEY}` },
  ])("but not with %j", (fields) => {
    expect(isWebSocketRequest(handshake(fields))).toBe(false);
  });
});

describe("a handshake", () => {
  it("of another version is told ours", () => {
    for (const version of [undefined, "8", "13, 8"]) {
      expect(handshakeError(handshake({ version }))).toMatchObject({
        status: 426,
        headers: { "sec-websocket-version": "13" },
      });
    }
    expect(handshakeError(handshake())).toBeUndefined();
  });

  it.each(["chat", "chat, superchat", `chat,${SUBPROTOCOL}`])("may offer %j", (protocol) => {
    expect(handshakeError(handshake({ protocol }))).toBeUndefined();
  });

  it.each(["", "chat, chat", "chat,", "a b", "a/b", "é"])("may not offer %j", (protocol) => {
    expect(handshakeError(handshake({ protocol }))?.status).toBe(400);
  });

  it("may not offer a list that is longer than any client's", () => {
    const protocol = Array.from({ length: 1_000 }, (_, i) => `p${i}`).join(",");
    expect(handshakeError(handshake({ protocol: protocol.slice(0, 4_096) }))).toBeUndefined();
    expect(jsonOf(handshakeError(handshake({ protocol }))!).reasons).toEqual({
      "sec-websocket-protocol": ["must have at most 4096 characters"],
    });
  });

  it("offers our subprotocol if it is in the list", () => {
    expect(offersSubprotocol(handshake({ protocol: `chat , ${SUBPROTOCOL}` }))).toBe(true);
    expect(offersSubprotocol(handshake({ protocol: `${SUBPROTOCOL}.x` }))).toBe(false);
    expect(offersSubprotocol(handshake())).toBe(false);
  });

  it("that is refused is told why, and when to come back", () => {
    const refused = refusalResponse({ ok: false, status: 503, message: "the node is full", retryAfterS: 3 });
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "3" } });
    expect(jsonOf(refused).reasons).toEqual({ upgrade: ["the node is full"] });
    const forGood = refusalResponse({ ok: false, status: 403, message: "no" });
    expect(forGood.headers["retry-after"]).toBeUndefined();
  });
});

it("headers of proxies say that a request was forwarded, and no others do", () => {
  for (const name of ["forwarded", "via", "x-forwarded-for", "x-forwarded-anything", "cf-ray", "x-real-ip"]) {
    expect(isForwardingHeader(name)).toBe(true);
  }
  for (const name of ["host", "user-agent", "x-request-id", "viaduct"]) {
    expect(isForwardingHeader(name)).toBe(false);
  }
});
