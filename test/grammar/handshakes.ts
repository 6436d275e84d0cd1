import { type UpgradeOptions, upgradeRequest } from "../support/raw-websocket.ts";

export interface Handshake {
  readonly id: string;
  readonly request: Buffer;
  /** The status of the response. 101 means an open WebSocket, and "dropped" means no response. */
  readonly sees: number | "dropped";
  /** The subprotocol that a response with 101 must name. */
  readonly protocol?: string;
}

const KIB = 1_024;

/** All handshakes. `path` is the path for WebSockets of an app. */
export function handshakes(path: string): Handshake[] {
  const make = (
    id: string,
    sees: Handshake["sees"],
    options: Partial<UpgradeOptions> = {},
    protocol?: string,
  ): Handshake => ({
    id,
    sees,
    request: upgradeRequest({ path, ...options }),
    ...(protocol === undefined ? {} : { protocol }),
  });
  const header = (
    id: string,
    sees: Handshake["sees"],
    headers: Record<string, string | undefined>,
    protocol?: string,
  ) => make(id, sees, { headers }, protocol);
  const line = (id: string, sees: Handshake["sees"], text: string) => make(id, sees, { line: text });
  const raw = (id: string, sees: Handshake["sees"], change: (text: string) => string): Handshake => ({
    id,
    sees,
    request: Buffer.from(change(upgradeRequest({ path }).toString("latin1")), "latin1"),
  });
  const many = (count: number, size = 1) =>
    Array.from({ length: count }, (_, i) => `X-${i}: ${"y".repeat(size)}`);
  const KEY = "Sec-WebSocket-Key";
  const VERSION = "Sec-WebSocket-Version";
  const PROTOCOL = "Sec-WebSocket-Protocol";
  const EXTENSIONS = "Sec-WebSocket-Extensions";
  return [
    make("as it should be", 101),
    make("with a query", 101, { path: `${path}?a=b&c` }),
    // Many and large
    make("50 more headers", 101, { lines: many(50) }),
    make("2000 more headers", 431, { lines: many(2_000) }),
    make("2000 more headers of 500 bytes", 431, { lines: many(2_000, 500) }),
    make("a value of 8 KiB", 101, { lines: [`X: ${"y".repeat(8 * KIB)}`] }),
    make("a value of 1 MiB", 431, { lines: [`X: ${"y".repeat(KIB * KIB)}`] }),
    make("a name of 1 MiB", 431, { lines: [`${"X".repeat(KIB * KIB)}: y`] }),
    make("a path of 1 MiB", 431, { line: `GET ${path}?${"y".repeat(KIB * KIB)} HTTP/1.1` }),
    make("a value of 32 Ki spaces", 101, { lines: [`X: a${" ".repeat(32 * KIB)}b`] }),
    header("a key of 32 KiB", 426, { [KEY]: "A".repeat(32 * KIB) }),
    // Subprotocols
    header("our subprotocol", 101, { [PROTOCOL]: "presence.v1" }, "presence.v1"),
    header("our subprotocol among others", 101, { [PROTOCOL]: "a, presence.v1 ,b" }, "presence.v1"),
    header("our subprotocol twice", 400, { [PROTOCOL]: "presence.v1, presence.v1" }),
    header("our subprotocol in capitals", 101, { [PROTOCOL]: "PRESENCE.V1" }, ""),
    header(
      "100 subprotocols",
      101,
      { [PROTOCOL]: Array.from({ length: 100 }, (_, i) => `p${i}`).join(", ") },
      "",
    ),
    header(
      "500 subprotocols, ours the last",
      101,
      { [PROTOCOL]: `${Array.from({ length: 500 }, (_, i) => `p${i}`).join(",")},presence.v1` },
      "presence.v1",
    ),
    header("5000 subprotocols, ours the last", 400, {
      [PROTOCOL]: `${Array.from({ length: 5_000 }, (_, i) => `p${i}`).join(",")},presence.v1`,
    }),
    header(
      "a subprotocol and 2 Ki spaces",
      101,
      { [PROTOCOL]: `presence.v1${" ".repeat(2 * KIB)}, a` },
      "presence.v1",
    ),
    header("a subprotocol and 32 Ki spaces", 400, {
      [PROTOCOL]: `presence.v1${" ".repeat(32 * KIB)}, a`,
    }),
    header("a subprotocol, 32 Ki spaces, and another without a comma", 400, {
      [PROTOCOL]: `a${" ".repeat(32 * KIB)}b`,
    }),
    header("32 Ki commas as subprotocols", 400, { [PROTOCOL]: ",".repeat(32 * KIB) }),
    header("an empty subprotocol", 400, { [PROTOCOL]: "" }),
    header("a subprotocol of odd characters", 400, { [PROTOCOL]: "pr(esence" }),
    make(
      "subprotocols in two lines",
      101,
      { lines: [`${PROTOCOL}: a`, `${PROTOCOL}: presence.v1`] },
      "presence.v1",
    ),
    header("__proto__ as a subprotocol", 101, { [PROTOCOL]: "__proto__" }, ""),
    // Extensions
    header("permessage-deflate", 101, { [EXTENSIONS]: "permessage-deflate; client_max_window_bits" }),
    header("permessage-deflate in many forms", 101, {
      [EXTENSIONS]: Array.from(
        { length: 50 },
        (_, i) => `permessage-deflate; server_max_window_bits=${8 + (i % 8)}`,
      ).join(", "),
    }),
    header("permessage-deflate with a wrong parameter", 101, {
      [EXTENSIONS]: "permessage-deflate; server_max_window_bits=99",
    }),
    header("x-webkit-deflate-frame", 101, { [EXTENSIONS]: "x-webkit-deflate-frame" }),
    header("constructor as an extension", 101, { [EXTENSIONS]: "constructor" }),
    header("__proto__ as an extension", 101, { [EXTENSIONS]: "__proto__; __proto__=1" }),
    header("an extension of many escapes", 101, { [EXTENSIONS]: `a; b="${"\\c".repeat(16 * KIB)}"` }),
    header("an extension whose quote does not end", 101, { [EXTENSIONS]: `a; b="${"\\c".repeat(16 * KIB)}` }),
    header("32 Ki spaces as an extension", 101, { [EXTENSIONS]: `a${" ".repeat(32 * KIB)}b` }),
    header("10000 extensions", 101, { [EXTENSIONS]: Array.from({ length: 10_000 }, () => "a;b").join(",") }),
    header("an empty extension", 101, { [EXTENSIONS]: "" }),
    // Keys
    header("no key", 426, { [KEY]: undefined }),
    header("an empty key", 426, { [KEY]: "" }),
    header("a short key", 426, { [KEY]: "dGhlIHNhbXBsZQ==" }),
    header("a long key", 426, { [KEY]: "dGhlIHNhbXBsZSBub25jZSBub25jZQ==" }),
    header("a key of other characters", 426, { [KEY]: "!!!!!!!!!!!!!!!!!!!!!!==" }),
    make("two keys", 426, { lines: [`${KEY}: dGhlIHNhbXBsZSBub25jZQ==`] }),
    // Versions
    header("no version", 426, { [VERSION]: undefined }),
    header("version 8", 426, { [VERSION]: "8" }),
    header("version 0", 426, { [VERSION]: "0" }),
    header("version 7", 426, { [VERSION]: "7" }),
    header("version 14", 426, { [VERSION]: "14" }),
    header("version 13 and 8", 426, { [VERSION]: "13, 8" }),
    header("version in words", 426, { [VERSION]: "thirteen" }),
    // Upgrade and Connection
    header("websocket in capitals", 101, { Upgrade: "WEBSOCKET" }),
    header("no Upgrade", 426, { Upgrade: undefined }),
    header("Upgrade to two protocols", 426, { Upgrade: "websocket, h2c" }),
    header("Upgrade to another protocol", 426, { Upgrade: "h2c" }),
    header("no Connection", 426, { Connection: undefined }),
    header("Connection: close", 426, { Connection: "close" }),
    header("Connection: keep-alive, Upgrade", 101, { Connection: "keep-alive, Upgrade" }),
    header("10000 options in Connection, Upgrade the last", 101, {
      Connection: `${"a,".repeat(10_000)} Upgrade`,
    }),
    header("16 Ki spaces in Connection", 426, { Connection: `keep-alive,${" ".repeat(16 * KIB)}x` }),
    make("a path of 30000 slashes", 404, { line: `GET ${"/".repeat(30_000)} HTTP/1.1` }),
    header("header names in small letters", 101, {
      Host: undefined,
      host: "gateway",
      Upgrade: undefined,
      upgrade: "websocket",
      Connection: undefined,
      connection: "upgrade",
    }),
    raw("all names in capitals", 101, (text) => text.replace(/^[\w-]+(?=:)/gm, (name) => name.toUpperCase())),
    raw("no space after the colons", 101, (text) => text.replaceAll(": ", ":")),
    // The first line
    line("HTTP/1.0", 400, `GET ${path} HTTP/1.0`),
    line("HTTP/0.9", 400, `GET ${path}`),
    line("HTTP/2.0", 400, `GET ${path} HTTP/2.0`),
    line("HTTP/1.11", 400, `GET ${path} HTTP/1.11`),
    line("POST", 405, `POST ${path} HTTP/1.1`),
    line("PUT", 405, `PUT ${path} HTTP/1.1`),
    line("HEAD", 426, `HEAD ${path} HTTP/1.1`),
    line("a method of no meaning", 400, `BREW ${path} HTTP/1.1`),
    line("a method in small letters", 400, `get ${path} HTTP/1.1`),
    line("a whole URL", 404, `GET http://gateway${path} HTTP/1.1`),
    line("CONNECT", "dropped", "CONNECT gateway:80 HTTP/1.1"),
    line("another path", 404, `GET ${path}/more HTTP/1.1`),
    line("the path in capitals", 404, `GET ${path.toUpperCase()} HTTP/1.1`),
    line("a NUL in the path", 400, `GET ${path}\0 HTTP/1.1`),
    line("an escaped NUL in the path", 404, `GET ${path}%00 HTTP/1.1`),
    line("a fragment in the path", 404, `GET ${path}#x HTTP/1.1`),
    // Host
    header("no Host", 400, { Host: undefined }),
    header("an empty Host", 101, { Host: "" }),
    make("two Hosts", 400, { lines: ["Host: evil.example"] }),
    // Not HTTP
    raw("bare line feeds", 400, (text) => text.replaceAll("\r\n", "\n")),
    raw("a folded header", 400, (text) => text.replace("Upgrade: websocket", "Upgrade:\r\n websocket")),
    raw("a header without a colon", 400, (text) => text.replace("Upgrade: websocket", "Upgrade websocket")),
    raw("a NUL in a value", 400, (text) => text.replace("websocket", "web\0socket")),
    raw("a space before a colon", 400, (text) => text.replace("Upgrade:", "Upgrade :")),
    raw("blank lines before", 101, (text) => `\r\n\r\n${text}`),
    raw("a body", 101, (text) => text.replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc")),
  ];
}
