import { APP, SECRET } from "./gateway.ts";

// Ways to hide a request, where a proxy in front of the gateway sees the body of another request.

const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}`;
const PRESENCES = `POST /v1/${APP}/presences`;

export type Make = (hidden: string) => string;

/** A request as text. */
export function request(line: string, headers: string, body: string): string {
  const common = `Host: gateway\r\nAuthorization: Bearer ${SECRET}\r\n`;
  return `${line.includes("HTTP/") ? line : `${line} HTTP/1.1`}\r\n${common}${headers}\r\n\r\n${body}`;
}

/** The hidden request is the body of a POST with these headers. `LENGTH` stands for its length. */
export const behind =
  (headers: string, line = PRESENCES): Make =>
  (hidden) =>
    request(line, headers.replaceAll("LENGTH", String(hidden.length)), hidden);

/** As above, after a chunk that ends the body. `LENGTH` stands for the length of both. */
const behindChunks =
  (headers: string, { line = PRESENCES, chunks = "0\r\n\r\n" } = {}): Make =>
  (hidden) =>
    behind(headers, line)(chunks + hidden);

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

const manyHeaders = Array.from({ length: 120 }, (_, i) => `X-${i}: y`).join("\r\n");

export const PROBES: [name: string, make: Make][] = [
  ["an honest Content-Length", behind("Content-Length: LENGTH")],
  // Content-Length
  ["two Content-Lengths, the first one zero", behind("Content-Length: 0\r\nContent-Length: LENGTH")],
  ["two Content-Lengths, the last one zero", behind("Content-Length: LENGTH\r\nContent-Length: 0")],
  ["two Content-Lengths that agree", behind("Content-Length: LENGTH\r\nContent-Length: LENGTH")],
  ["a list of Content-Lengths", behind("Content-Length: 0, LENGTH")],
  ["an empty Content-Length", behind("Content-Length:")],
  ["an empty Content-Length and another", behind("Content-Length:\r\nContent-Length: LENGTH")],
  ["a Content-Length with a sign", behind("Content-Length: +LENGTH")],
  ["a negative Content-Length", behind("Content-Length: -LENGTH")],
  [
    "a hexadecimal Content-Length",
    (hidden) => behind(`Content-Length: 0x${hidden.length.toString(16)}`)(hidden),
  ],
  ["a Content-Length with a fraction", behind("Content-Length: LENGTH.0")],
  ["a Content-Length with an exponent", behind("Content-Length: LENGTHe0")],
  ["a Content-Length and a word", behind("Content-Length: LENGTH bytes")],
  ["a Content-Length with zeros before it", behind("Content-Length: 00LENGTH")],
  ["a Content-Length of 2^32", behind("Content-Length: 4294967296")],
  ["a Content-Length of 2^64", behind("Content-Length: 18446744073709551616")],
  ["a Content-Length of forty digits", behind(`Content-Length: ${"9".repeat(40)}`)],
  ["a space before the colon", behind("Content-Length : LENGTH")],
  ["a tab before the colon", behind("Content-Length\t: LENGTH")],
  ["no colon", behind("Content-Length LENGTH")],
  ["a space before the name", behind(" Content-Length: LENGTH")],
  ["a vertical tab before the name", behind("\x0bContent-Length: LENGTH")],
  ["a NUL after the name", behind("Content-Length\0: LENGTH")],
  ["a NUL before the value", behind("Content-Length: \0LENGTH")],
  ["the value on a line of its own", behind("Content-Length:\r\n LENGTH")],
  ["the header on a folded line", behind("X: a\r\n Content-Length: LENGTH")],
  ["the header behind a bare CR", behind("X: a\rContent-Length: LENGTH")],
  ["the header behind a bare LF", behind("X: a\nContent-Length: LENGTH")],
  ["the header behind two bare LFs", behind("X: a\n\nContent-Length: LENGTH")],
  ["bare LFs only", (hidden) => behind("Content-Length: LENGTH")(hidden).replace(/^.*?\r\n\r\n/s, toBareLf)],
  [
    "bare LFs at the end of the head",
    (hidden) => behind("Content-Length: LENGTH")(hidden).replace("\r\n\r\n", "\n\n"),
  ],
  ["more headers than there is room for", behind(`${manyHeaders}\r\nContent-Length: LENGTH`)],
  // Transfer-Encoding
  [
    "chunks, and a Content-Length after",
    behindChunks("Transfer-Encoding: chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "chunks, and a Content-Length before",
    behindChunks("Content-Length: LENGTH\r\nTransfer-Encoding: chunked"),
  ],
  ["a trailer", behindChunks("Transfer-Encoding: chunked", { chunks: "0\r\nX:" })],
  ["a trailer of two letters", behindChunks("Transfer-Encoding: chunked", { chunks: "0\r\nXX" })],
  ["a chunk's extension", behindChunks("Transfer-Encoding: chunked", { chunks: "0;a=" })],
  ["a chunk's quoted extension", behindChunks("Transfer-Encoding: chunked", { chunks: '5;a="\r\n' })],
  ["a chunk", (hidden) => behind("Transfer-Encoding: chunked")(`${chunk(hidden)}0\r\n\r\n`)],
  [
    "a chunk with a space before its size",
    (hidden) => behind("Transfer-Encoding: chunked")(` ${chunk(hidden)}`),
  ],
  [
    "a chunk of 16 bytes, as some read it",
    behindChunks("Transfer-Encoding: chunked", { chunks: "g\r\n\r\n" }),
  ],
  [
    "a chunk of 2^64 bytes",
    behindChunks("Transfer-Encoding: chunked", { chunks: "10000000000000000\r\n\r\n" }),
  ],
  ["a chunk whose size has a bare LF", behindChunks("Transfer-Encoding: chunked", { chunks: "0\n\n" })],
  ["a coding before the chunks", behindChunks("Transfer-Encoding: gzip, chunked")],
  ["chunks twice", behindChunks("Transfer-Encoding: chunked, chunked")],
  ["a last chunk that ends badly", behindChunks("Transfer-Encoding: chunked", { chunks: "0\r\nXX" })],
  ["a chunk that ends badly", behindChunks("Transfer-Encoding: chunked", { chunks: "1\r\naXX0\r\n\r\n" })],
  ["an identity encoding", behindChunks("Transfer-Encoding: identity\r\nContent-Length: LENGTH")],
  ["an unknown encoding", behindChunks("Transfer-Encoding: xchunked\r\nContent-Length: LENGTH")],
  ["an empty encoding", behindChunks("Transfer-Encoding:\r\nContent-Length: LENGTH")],
  [
    "two encodings",
    behindChunks("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: LENGTH"),
  ],
  ["an encoding in capitals", behindChunks("TRANSFER-ENCODING: CHUNKED\r\nContent-Length: LENGTH")],
  [
    "an encoding with a space before the colon",
    behindChunks("Transfer-Encoding : chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding with a tab before the colon",
    behindChunks("Transfer-Encoding\t: chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding with a vertical tab",
    behindChunks("Transfer-Encoding: \x0bchunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding on a folded line",
    behindChunks("X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding's value on a line of its own",
    behindChunks("Transfer-Encoding:\r\n chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding behind a bare CR",
    behindChunks("X: a\rTransfer-Encoding: chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding behind a bare LF",
    behindChunks("X: a\nTransfer-Encoding: chunked\r\nContent-Length: LENGTH"),
  ],
  [
    "an encoding in HTTP/1.0",
    behindChunks("Transfer-Encoding: chunked\r\nContent-Length: LENGTH", { line: `${PRESENCES} HTTP/1.0` }),
  ],
  [
    "an encoding behind more headers than there is room for",
    behindChunks(`${manyHeaders}\r\nTransfer-Encoding: chunked\r\nContent-Length: LENGTH`),
  ],
  // Requests that need no body, or get a response before it is read
  ["a GET", behind("Content-Length: LENGTH", `GET /v1/${APP}/stats`)],
  ["a HEAD", behind("Content-Length: LENGTH", `HEAD /v1/${APP}/stats`)],
  ["a DELETE", behind("Content-Length: LENGTH", `DELETE /v1/${APP}/users/nobody/sessions`)],
  ["a stream", behind("Content-Length: LENGTH", `GET /v1/${APP}/presences/stream`)],
  ["an unknown path", behind("Content-Length: LENGTH", "GET /nowhere")],
  ["an unknown app", behind("Content-Length: LENGTH", "POST /v1/nowhere/presences")],
  ["a method that is not allowed", behind("Content-Length: LENGTH", `PUT /v1/${APP}/stats`)],
  ["a path that is not ASCII", behind("Content-Length: LENGTH", `GET /v1/${APP}/users/\xff/sessions`)],
  ["a body of another type", behind("Content-Type: text/plain\r\nContent-Length: LENGTH")],
  ["the start of a body that is too large", (hidden) => behind("Content-Length: 600000")(hidden)],
  [
    "the end of a body that is too large",
    (hidden) => behind("Content-Length: LENGTH")(" ".repeat(600_000) + hidden),
  ],
  ["two spaces in the first line", behind("Content-Length: LENGTH", `${PRESENCES.replace(" ", "  ")}`)],
  [
    "no version in the first line",
    (hidden) => behind("Content-Length: LENGTH")(hidden).replace(" HTTP/1.1", ""),
  ],
  ["a version that there is not", behind("Content-Length: LENGTH", `${PRESENCES} HTTP/1.2`)],
  [
    "what is no request, behind a stream",
    (hidden) => behind("X: y", `GET /v1/${APP}/presences/stream`)(`\0\0\r\n${hidden}`),
  ],
  // Upgrades: a proxy may take what follows for WebSocket frames, whatever the response was
  ["an upgrade", behind(UPGRADE, `GET /v1/${APP}/realtime`)],
  [
    "an upgrade with a Content-Length",
    behind(`${UPGRADE}\r\nContent-Length: LENGTH`, `GET /v1/${APP}/realtime`),
  ],
  [
    "an upgrade with chunks",
    behindChunks(`${UPGRADE}\r\nTransfer-Encoding: chunked`, { line: `GET /v1/${APP}/realtime` }),
  ],
  ["an upgrade to an unknown app", behind(UPGRADE, "GET /v1/nowhere/realtime")],
  [
    "an upgrade to an unknown app with a Content-Length",
    behind(`${UPGRADE}\r\nContent-Length: LENGTH`, "GET /v1/nowhere/realtime"),
  ],
  ["an upgrade at a path that has none", behind(UPGRADE, "GET /healthz")],
  [
    "an upgrade from a bad origin",
    behind(`${UPGRADE}\r\nOrigin: https://evil.example`, "GET /v1/guarded-app/realtime"),
  ],
  ["an upgrade by POST", behind(`${UPGRADE}\r\nContent-Length: LENGTH`, `POST /v1/${APP}/realtime`)],
  [
    "an upgrade with a bad key",
    behind(
      `${UPGRADE.replace(KEY, "Sec-WebSocket-Key: x")}\r\nContent-Length: LENGTH`,
      `GET /v1/${APP}/realtime`,
    ),
  ],
  ["an upgrade to another protocol", behind("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: LENGTH")],
];

/** These hide nothing: the second request stands where the first one ends. */
export const FOLLOWED: [name: string, make: Make][] = [
  ["chunks", behindChunks("Transfer-Encoding: chunked")],
  ["chunks in capitals", behindChunks("TRANSFER-ENCODING: CHUNKED")],
  ["chunks with an extension", behindChunks("Transfer-Encoding: chunked", { chunks: "0;a=b\r\n\r\n" })],
  ["chunks with a trailer", behindChunks("Transfer-Encoding: chunked", { chunks: "0\r\nX: y\r\n\r\n" })],
  ["chunks of a GET", behindChunks("Transfer-Encoding: chunked", { line: `GET /v1/${APP}/stats` })],
  [
    "chunks, and an offer of another protocol",
    behindChunks("Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked"),
  ],
];

function toBareLf(head: string): string {
  return head.replaceAll("\r\n", "\n");
}
