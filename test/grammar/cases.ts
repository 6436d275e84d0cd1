import { deflateRawSync } from "node:zlib";
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  closeFrame,
  frame,
  PING,
  PONG,
  TEXT,
} from "../support/raw-websocket.ts";
import { cut, fragments, ping } from "./messages.ts";
import { UTF8_CASES } from "./utf8-cases.ts";

export interface GrammarCase {
  /** The number of the case in Autobahn, if it has one. */
  readonly id: string;
  readonly what: string;
  readonly frames: readonly Buffer[];
  /**
   * What a client must see, by the standard and docs/protocol.md: answers to messages, pongs, and last
   * "open", or "close" with its code. One more message follows the frames. It is answered if and only if the
   * socket is open.
   */
  readonly sees: readonly string[];
  /** The size of the pieces in which the bytes are written. By default they are written at once. */
  readonly pieces?: number | "frames";
  /** What the opened session must have stored. */
  readonly stored?: { readonly user: string; readonly text: string };
}

type Row = readonly [
  what: string,
  frames: readonly Buffer[],
  sees: readonly string[],
  pieces?: number | "frames",
];

/** Numbers the cases of a class: 2.1, 2.2 and so on. */
function numbered(prefix: string, rows: readonly Row[]): GrammarCase[] {
  return rows.map(([what, frames, sees, pieces], i) => ({
    id: `${prefix}.${i + 1}`,
    what,
    frames,
    sees,
    ...(pieces === undefined ? {} : { pieces }),
  }));
}

/** The default limit of the gateway for messages. */
const LIMIT = 262_144;
const say = (id: number, bytes?: number) => frame({ payload: ping(id, bytes) });
const OPEN = "open";
const FAILS = ["close 1002"];

const SIZES = [0, 125, 126, 127, 128, 65_535, 65_536] as const;

const FRAMING = [
  ...numbered("1.1", [
    ["an empty text, which is no JSON", [frame({})], ["close 4400"]],
    ...SIZES.slice(1).map((size): Row => [`a text of ${size} bytes`, [say(1, size)], ["answer 1", OPEN]]),
    ["a text of 65536 bytes in pieces of 997", [say(1, 65_536)], ["answer 1", OPEN], 997],
  ]),
  ...numbered("1.2", [
    ...SIZES.map(
      (size): Row => [
        `a binary of ${size} bytes`,
        [frame({ opcode: BINARY, payload: Buffer.alloc(size, 0xfe) })],
        ["close 1003"],
      ],
    ),
    [
      "a binary of 65536 bytes in pieces of 997",
      [frame({ opcode: BINARY, payload: Buffer.alloc(65_536, 0xfe) })],
      ["close 1003"],
      997,
    ],
  ]),
];

const control = (opcode: number, payload: string | Uint8Array = "") => frame({ opcode, payload });
const tenPings = Array.from({ length: 10 }, (_, i) => control(PING, `payload ${i}`));
const tenPongs = Array.from({ length: 10 }, (_, i) => `pong payload ${i}`);

const PINGS = numbered("2", [
  ["a ping without payload", [control(PING)], ["pong ", OPEN]],
  ["a ping with a text", [control(PING, "hello")], ["pong hello", OPEN]],
  ["a ping with bytes", [control(PING, Buffer.of(0, 255, 254, 253, 0))], ["pong \0\xff\xfe\xfd\0", OPEN]],
  ["a ping of 125 bytes", [control(PING, "p".repeat(125))], [`pong ${"p".repeat(125)}`, OPEN]],
  ["a ping of 126 bytes", [control(PING, "p".repeat(126))], FAILS],
  [
    "a ping of 125 bytes, byte by byte",
    [control(PING, "p".repeat(125))],
    [`pong ${"p".repeat(125)}`, OPEN],
    1,
  ],
  ["a pong that nobody asked for", [control(PONG)], [OPEN]],
  ["such a pong with a payload", [control(PONG, "unasked")], [OPEN]],
  ["such a pong, then a ping", [control(PONG, "unasked"), control(PING, "asked")], ["pong asked", OPEN]],
  ["ten pings", tenPings, [...tenPongs, OPEN]],
  ["ten pings, byte by byte", tenPings, [...tenPongs, OPEN], 1],
]);

const RESERVED_BITS = numbered("3", [
  ["RSV3 in a text", [frame({ rsv: 1, payload: ping(1) })], FAILS],
  [
    "a text, then RSV2 in one, then a ping",
    [say(1), frame({ rsv: 2, payload: ping(2) }), control(PING)],
    ["answer 1", ...FAILS],
  ],
  [
    "the same, frame by frame",
    [say(1), frame({ rsv: 3, payload: ping(2) }), control(PING)],
    ["answer 1", ...FAILS],
    "frames",
  ],
  [
    "the same, byte by byte",
    [say(1), frame({ rsv: 4, payload: ping(2) }), control(PING)],
    ["answer 1", ...FAILS],
    1,
  ],
  ["RSV1 and RSV3 in a binary", [frame({ opcode: BINARY, rsv: 5, payload: Buffer.alloc(9) })], FAILS],
  ["RSV1 and RSV2 in a ping", [frame({ opcode: PING, rsv: 6, payload: "p" })], FAILS],
  ["all of them in a close frame", [frame({ opcode: CLOSE, rsv: 7 })], FAILS],
]);

const reserved = (opcode: number): Row[] => [
  [`the opcode ${opcode}`, [frame({ opcode })], FAILS],
  [`the opcode ${opcode + 1} with a payload`, [frame({ opcode: opcode + 1, payload: ping(1) })], FAILS],
  [
    `the opcode ${opcode + 2} after a text`,
    [say(1), frame({ opcode: opcode + 2 }), control(PING)],
    ["answer 1", ...FAILS],
  ],
  [
    `the opcode ${opcode + 3} with a payload after a text`,
    [say(1), frame({ opcode: opcode + 3, payload: ping(2) }), control(PING)],
    ["answer 1", ...FAILS],
    "frames",
  ],
  [
    `the opcode ${opcode + 4} with a payload after a text, byte by byte`,
    [say(1), frame({ opcode: opcode + 4, payload: ping(2) }), control(PING)],
    ["answer 1", ...FAILS],
    1,
  ],
];

const OPCODES = [...numbered("4.1", reserved(3)), ...numbered("4.2", reserved(11))];

const two = (id: number, size = 64) => fragments(cut(ping(id, size), Math.ceil(size / 2)));
const pingBetween = ([first, second]: Buffer[]) => [first!, control(PING, "between"), second!];
const orphan = (fin: boolean) => frame({ opcode: CONTINUATION, fin, payload: ping(1) });
/** Five fragments, with a ping after each of the first four. */
const fiveWithPings = fragments(cut(ping(1, 100), 20)).flatMap((each, i) =>
  i < 4 ? [each, control(PING, `${i}`)] : [each],
);

const FRAGMENTATION = numbered("5", [
  ["a ping in two fragments", fragments([Buffer.from("a"), Buffer.from("b")], { opcode: PING }), FAILS],
  ["a pong in two fragments", fragments([Buffer.from("a"), Buffer.from("b")], { opcode: PONG }), FAILS],
  ["a text in two fragments", two(1), ["answer 1", OPEN]],
  ["the same, frame by frame", two(1), ["answer 1", OPEN], "frames"],
  ["the same, byte by byte", two(1), ["answer 1", OPEN], 1],
  ["a text in two fragments with a ping between", pingBetween(two(1)), ["pong between", "answer 1", OPEN]],
  ["the same, frame by frame", pingBetween(two(1)), ["pong between", "answer 1", OPEN], "frames"],
  ["the same, byte by byte", pingBetween(two(1)), ["pong between", "answer 1", OPEN], 1],
  ["a continuation of nothing that ends it, then a text", [orphan(true), say(2)], FAILS],
  ["the same, frame by frame", [orphan(true), say(2)], FAILS, "frames"],
  ["the same, byte by byte", [orphan(true), say(2)], FAILS, 1],
  ["a continuation of nothing that goes on, then a text", [orphan(false), say(2)], FAILS],
  ["the same, frame by frame", [orphan(false), say(2)], FAILS, "frames"],
  ["the same, byte by byte", [orphan(false), say(2)], FAILS, 1],
  [
    "a text in two fragments, then a continuation of nothing, then a text",
    [...two(1), orphan(false), say(2)],
    ["answer 1", ...FAILS],
  ],
  [
    "continuations of nothing that go on, each before a text",
    [orphan(false), say(2), orphan(false), say(3)],
    FAILS,
  ],
  [
    "continuations of nothing that end it, each before a text",
    [orphan(true), say(2), orphan(true), say(3)],
    FAILS,
  ],
  ["a text that begins within another", [two(1)[0]!, say(2)], FAILS],
  [
    "a text in five fragments with pings between, frame by frame",
    fiveWithPings,
    ["pong 0", "pong 1", "pong 2", "pong 3", "answer 1", OPEN],
    "frames",
  ],
  ["the same, at once", fiveWithPings, ["pong 0", "pong 1", "pong 2", "pong 3", "answer 1", OPEN]],
]);

const after = closeFrame(1000);
const CLOSING = [
  ...numbered("7.1", [
    ["a text, then a close", [say(1), after], ["answer 1", "close 1000"]],
    ["two closes", [after, after], ["close 1000"]],
    ["a ping after the close", [after, control(PING)], ["close 1000"]],
    ["a text after the close", [after, say(1)], ["close 1000"]],
    ["a text that the close cuts in two", [two(1)[0]!, after, two(1)[1]!], ["close 1000"]],
    ["a text of 256 KiB, a close, a ping", [say(1, LIMIT), after, control(PING)], ["answer 1", "close 1000"]],
  ]),
  ...numbered("7.3", [
    ["a close without payload", [closeFrame()], ["close 1005"]],
    ["a close of one byte", [control(CLOSE, "a")], FAILS],
    ["a close with a code", [closeFrame(1000)], ["close 1000"]],
    ["a close with a code and a reason", [closeFrame(1000, "bye")], ["close 1000"]],
    ["a close with the longest reason", [closeFrame(1000, "r".repeat(123))], ["close 1000"]],
    ["a close with a reason that is too long", [closeFrame(1000, "r".repeat(124))], FAILS],
  ]),
  ...numbered("7.5", [
    [
      "a close with a reason that is not UTF-8",
      [closeFrame(1000, Buffer.of(0xce, 0xba, 0xe1, 0xbd, 0xed, 0xa0, 0x80))],
      ["close 1007"],
    ],
  ]),
  ...numbered(
    "7.7",
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map(
      (code): Row => [`a close with ${code}`, [closeFrame(code)], [`close ${code}`]],
    ),
  ),
  ...numbered(
    "7.9",
    [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].map(
      (code): Row => [`a close with ${code}`, [closeFrame(code)], FAILS],
    ),
  ),
  ...numbered(
    "7.13",
    [5000, 65_535].map((code): Row => [`a close with ${code}`, [closeFrame(code)], FAILS]),
  ),
];

const LARGE = [
  ...numbered(
    "9.1",
    [65_536, LIMIT].map((size): Row => [`a text of ${size} bytes`, [say(1, size)], ["answer 1", OPEN]]),
  ),
  ...numbered("9.2", [
    ["a text of one byte more than may be", [say(1, LIMIT + 1)], ["close 1009"]],
    ["only the head of it", [say(1, LIMIT + 1).subarray(0, 14)], ["close 1009"]],
    ["a text of ten times what may be", [say(1, 10 * LIMIT)], ["close 1009"]],
  ]),
  ...numbered(
    "9.3",
    [4_096, 16_384, 65_536].map(
      (size): Row => [
        `256 KiB in fragments of ${size}`,
        fragments(cut(ping(1, LIMIT), size)),
        ["answer 1", OPEN],
      ],
    ),
  ),
  ...numbered("9.4", [
    ["one byte more than may be, in fragments", fragments(cut(ping(1, LIMIT + 1), 65_536)), ["close 1009"]],
    [
      "one byte more than may be, in the last fragment",
      fragments([ping(1, LIMIT), Buffer.from(" ")]),
      ["close 1009"],
    ],
    ["ten times what may be, in fragments", fragments(cut(ping(1, 10 * LIMIT), 65_536)), ["close 1009"]],
  ]),
  ...numbered(
    "9.5",
    [64, 256, 1_024, 4_096].map(
      (size): Row => [`64 KiB in pieces of ${size}`, [say(1, 65_536)], ["answer 1", OPEN], size],
    ),
  ),
  ...numbered("9.6", [
    [
      "a hundred texts at once",
      Array.from({ length: 100 }, (_, i) => say(i)),
      [...Array.from({ length: 100 }, (_, i) => `answer ${i}`), OPEN],
    ],
  ]),
];

const AUTOFRAGMENT = numbered("10.1", [
  ["64 KiB in fragments of 1300", fragments(cut(ping(1, 65_536), 1_300)), ["answer 1", OPEN]],
]);

/** Cases that Autobahn does not have. */
const lengthOf = (length: bigint, opcode = TEXT) =>
  frame({ opcode, lengthBytes: 8, length, payload: ping(1) });
const unmasked = (opcode: number, payload: string | Uint8Array = ping(1)) =>
  frame({ opcode, payload, mask: null });
const withoutMaskBit = (bytes: Buffer) => {
  bytes[1]! &= 0x7f;
  return bytes;
};
const bomb = deflateRawSync(Buffer.alloc(8 * 1024 * 1024, " "));

const MASKS = numbered("x.mask", [
  ["a text without a mask", [unmasked(TEXT)], FAILS],
  ["a binary without a mask", [unmasked(BINARY)], FAILS],
  ["a continuation without a mask", [two(1)[0]!, unmasked(CONTINUATION)], FAILS],
  ["a ping without a mask", [unmasked(PING, "")], FAILS],
  ["a pong without a mask", [unmasked(PONG, "")], FAILS],
  ["a close without a mask", [unmasked(CLOSE, Buffer.of(3, 0xe8))], FAILS],
  ["a mask of zeros", [frame({ payload: ping(1), mask: Buffer.alloc(4) })], ["answer 1", OPEN]],
  ["a mask of ones", [frame({ payload: ping(1), mask: Buffer.alloc(4, 255) })], ["answer 1", OPEN]],
  [
    "a mask that is there, without the bit that says so",
    [withoutMaskBit(frame({ payload: ping(1) }))],
    FAILS,
  ],
]);

const LENGTHS = numbered("x.length", [
  ["a length whose highest bit is set", [lengthOf(1n << 63n)], FAILS],
  ["the longest length with that bit", [lengthOf((1n << 64n) - 1n)], FAILS],
  ["that bit, and otherwise an honest length", [lengthOf((1n << 63n) + 64n)], FAILS],
  ["the longest length", [lengthOf((1n << 63n) - 1n)], ["close 1009"]],
  ["a length of 2^53", [lengthOf(1n << 53n)], ["close 1009"]],
  ["a length of 2^32", [lengthOf(1n << 32n)], ["close 1009"]],
  ["a length of 2^32 and a bit", [lengthOf((1n << 32n) + 64n)], ["close 1009"]],
  ["a length of 2^31", [lengthOf(1n << 31n)], ["close 1009"]],
  ["a short length in two bytes", [frame({ payload: ping(1), lengthBytes: 2 })], FAILS],
  ["a short length in eight bytes", [frame({ payload: ping(1), lengthBytes: 8 })], FAILS],
  ["a length of 16 bits in eight bytes", [frame({ payload: ping(1, 200), lengthBytes: 8 })], FAILS],
  [
    "a ping whose short length is in two bytes",
    [frame({ opcode: PING, payload: "p", lengthBytes: 2 })],
    FAILS,
  ],
  [
    "a ping whose short length is in eight bytes",
    [frame({ opcode: PING, payload: "p", lengthBytes: 8 })],
    FAILS,
  ],
  ["a ping of a length of 2^63", [lengthOf(1n << 63n, PING)], FAILS],
  ["a close of 2^32 bytes", [lengthOf(1n << 32n, CLOSE)], FAILS],
]);

const COMPRESSION = numbered("x.deflate", [
  ["a text that is compressed", [frame({ rsv: 4, payload: deflateRawSync(ping(1)) })], FAILS],
  ["8 MiB that are compressed", [frame({ rsv: 4, payload: bomb })], FAILS],
  ["RSV1 in a continuation", [two(1)[0]!, frame({ opcode: CONTINUATION, rsv: 4, payload: "" })], FAILS],
  ["RSV1 in a ping", [frame({ opcode: PING, rsv: 4 })], FAILS],
  ["RSV1 in a pong", [frame({ opcode: PONG, rsv: 4 })], FAILS],
  ["RSV1 in an empty text", [frame({ rsv: 4 })], FAILS],
]);

const FRAGMENT_EDGES = numbered("x.fragment", [
  [
    "empty fragments around a text",
    fragments([Buffer.alloc(0), ping(1), Buffer.alloc(0)]),
    ["answer 1", OPEN],
  ],
  ["a text in as many fragments as may be", fragments(cut(ping(1, 128), 1)), ["answer 1", OPEN]],
  ["a binary in fragments", fragments([Buffer.of(1), Buffer.of(2)], { opcode: BINARY }), ["close 1003"]],
  ["a binary that begins within a text", [two(1)[0]!, frame({ opcode: BINARY, payload: "b" })], FAILS],
  ["a close in two fragments", fragments([Buffer.of(3), Buffer.of(0xe8)], { opcode: CLOSE }), FAILS],
]);

/** All 247 cases of the classes 1 to 7 and 10 of Autobahn. */
export const AUTOBAHN: readonly GrammarCase[] = [
  ...FRAMING,
  ...PINGS,
  ...RESERVED_BITS,
  ...OPCODES,
  ...FRAGMENTATION,
  ...UTF8_CASES,
  ...CLOSING,
  ...AUTOFRAGMENT,
];

/** Cases like those of class 9, with the largest messages of the gateway, and further cases. */
export const MORE: readonly GrammarCase[] = [
  ...LARGE,
  ...MASKS,
  ...LENGTHS,
  ...COMPRESSION,
  ...FRAGMENT_EDGES,
];
