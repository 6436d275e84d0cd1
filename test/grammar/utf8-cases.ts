import { frame } from "../support/raw-websocket.ts";
import type { GrammarCase } from "./cases.ts";
import { fragments, openAround, ping } from "./messages.ts";

// Class 6 of Autobahn: 145 cases about UTF-8, most of them from Markus Kuhn's stress test for decoders. The
// bytes are in a field of a message, and valid text must be stored unchanged.

const OPEN = "open";
const KOSME = Buffer.from("\u03ba\u1f79\u03c3\u03bc\u03b5");
const LATIN = Buffer.from("Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!");
/** Valid text, then half a surrogate pair in three bytes, then "edited". */
const BROKEN = Buffer.from("cebae1bdb9cf83cebcceb5eda080656469746564", "hex");

/** What the session must have stored, if the text is valid. */
function around(
  id: string,
  what: string,
  bytes: Uint8Array,
  split: (parts: Buffer[]) => Buffer[],
): GrammarCase {
  const user = `user ${id}`;
  const parts = openAround(user, bytes);
  const text = decode(bytes);
  // JSON requires control characters to be escaped, so such a text is valid UTF-8 but not a message.
  const isJson = text !== undefined && !/[\0-\x1f]/.test(text);
  return {
    id,
    what,
    frames: split(parts),
    sees: text === undefined ? ["close 1007"] : isJson ? ["answer 1", OPEN] : ["close 4400"],
    ...(isJson ? { stored: { user, text } } : {}),
  };
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

const inOneFrame = (parts: Buffer[]) => [frame({ payload: Buffer.concat(parts) })];
/** One fragment for each byte of the middle part, and one for each other part. */
const byteByByte = ([before, bytes, after]: Buffer[]) =>
  fragments([before!, ...[...bytes!].map((byte) => Buffer.of(byte)), after!]);

/** A class of texts in hexadecimal, with one frame for each text. */
function texts(prefix: string, what: string, rows: readonly string[]): GrammarCase[] {
  return rows.map((hex, i) =>
    around(`${prefix}.${i + 1}`, `${what}: ${hex}`, Buffer.from(hex, "hex"), inOneFrame),
  );
}

/** The last code points of each plane, which are not characters, as UTF-8. */
const NON_CHARACTERS = Array.from({ length: 17 }, (_, plane) => [
  plane * 0x10000 + 0xfffe,
  plane * 0x10000 + 0xffff,
])
  .flat()
  .map((point) => Buffer.from(String.fromCodePoint(point)).toString("hex"));

const continuations = (count: number) =>
  Array.from({ length: count }, (_, i) => (i % 2 === 0 ? "80" : "bf")).join("");
/** Each of these bytes, followed by a space. */
const spaced = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => `${(from + i).toString(16)}20`).join("");
const all = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => (from + i).toString(16)).join("");

const CUT_SHORT = [
  "c0",
  "e080",
  "f08080",
  "f8808080",
  "fc80808080",
  "df",
  "efbf",
  "f7bfbf",
  "fbbfbfbf",
  "fdbfbfbfbf",
];

/** Text with a bad fragment. It is refused at once or at the end of the message, and never delivered. */
function broken(id: string, what: string, cuts: readonly number[], pieces: "frames" | 1): GrammarCase {
  const [before, bytes, after] = openAround(`user ${id}`, BROKEN);
  const whole = Buffer.concat([before, bytes, after]);
  const edges = [0, ...cuts.map((at) => before.length + at), whole.length];
  const parts = edges.slice(1).map((end, i) => whole.subarray(edges[i], end));
  return { id, what, frames: fragments(parts), sees: ["close 1007"], pieces };
}

export const UTF8_CASES: readonly GrammarCase[] = [
  { id: "6.1.1", what: "an empty text, which is no JSON", frames: [frame({})], sees: ["close 4400"] },
  {
    id: "6.1.2",
    what: "three empty fragments",
    frames: fragments([Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)]),
    sees: ["close 4400"],
  },
  {
    id: "6.1.3",
    what: "a text between two empty fragments",
    frames: fragments([Buffer.alloc(0), ping(1), Buffer.alloc(0)]),
    sees: ["answer 1", OPEN],
  },
  around("6.2.1", "valid text in one frame", LATIN, inOneFrame),
  around("6.2.2", "valid text in fragments cut between characters", LATIN, ([before, bytes, after]) =>
    fragments([Buffer.concat([before!, bytes!.subarray(0, 8)]), Buffer.concat([bytes!.subarray(8), after!])]),
  ),
  around("6.2.3", "valid text in fragments of one byte", LATIN, byteByByte),
  around("6.2.4", "other valid text in fragments of one byte", KOSME, byteByByte),
  around("6.3.1", "invalid text in one frame", BROKEN, inOneFrame),
  around("6.3.2", "invalid text in fragments of one byte", BROKEN, byteByByte),
  broken("6.4.1", "invalid text in the second fragment of three", [11, 14], "frames"),
  broken("6.4.2", "the same, cut amid what is wrong", [12, 13], "frames"),
  broken("6.4.3", "invalid text in the second fragment of three, byte by byte", [11, 14], 1),
  broken("6.4.4", "the same, cut amid what is wrong", [12, 13], 1),
  ...texts("6.5", "valid text", [
    KOSME.toString("hex"),
    Buffer.from("日本語 русский العربية").toString("hex"),
    Buffer.from("👩‍💻🏳️‍🌈").toString("hex"),
    Buffer.from("e\u0301 \u202e\u200b").toString("hex"),
    "efbbbf",
  ]),
  ...texts(
    "6.6",
    "the first bytes of a valid text",
    Array.from(KOSME, (_, i) => KOSME.toString("hex", 0, i + 1)),
  ),
  ...texts("6.7", "the first sequence of its length", ["00", "c280", "e0a080", "f0908080"]),
  ...texts("6.8", "the first sequence of five or six bytes", ["f888808080", "fc8480808080"]),
  ...texts("6.9", "the last sequence of its length", ["7f", "dfbf", "efbfbf", "f48fbfbf"]),
  ...texts("6.10", "the last sequence of four, five or six bytes", [
    "f7bfbfbf",
    "fbbfbfbfbf",
    "fdbfbfbfbfbf",
  ]),
  ...texts("6.11", "a boundary", ["ed9fbf", "ee8080", "efbfbd", "f48fbfbf", "f4908080"]),
  ...texts("6.12", "continuations of nothing", [
    "80",
    "bf",
    ...[2, 3, 4, 5, 6].map(continuations),
    all(0x80, 0xbf),
  ]),
  ...texts("6.13", "first bytes alone", [
    spaced(0xc0, 0xdf),
    spaced(0xe0, 0xef),
    spaced(0xf0, 0xf7),
    spaced(0xf8, 0xfb),
    spaced(0xfc, 0xfd),
  ]),
  ...texts("6.14", "a sequence without its last byte", CUT_SHORT),
  ...texts("6.15", "all of these together", [CUT_SHORT.join("")]),
  ...texts("6.16", "bytes that are never", ["fe", "ff", "fefeffff"]),
  ...texts("6.17", "a slash that is too long", ["c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"]),
  ...texts("6.18", "the highest that is too long", [
    "c1bf",
    "e09fbf",
    "f08fbfbf",
    "f887bfbfbf",
    "fc83bfbfbfbf",
  ]),
  ...texts("6.19", "a NUL that is too long", ["c080", "e08080", "f0808080", "f880808080", "fc8080808080"]),
  ...texts("6.20", "half a pair", ["eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"]),
  ...texts("6.21", "a pair in six bytes", [
    "eda080edb080",
    "eda080edbfbf",
    "edadbfedb080",
    "edadbfedbfbf",
    "edae80edb080",
    "edae80edbfbf",
    "edafbfedb080",
    "edafbfedbfbf",
  ]),
  ...texts("6.22", "a code point that is no character", NON_CHARACTERS),
  ...texts("6.23", "a special", ["efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf"]),
];
