// A table of all known deviations of the transports from the standard. Suites about bytes fail if a transport
// behaves differently, and also if a listed deviation no longer occurs.

export interface Deviation {
  readonly transport: "ws" | "uws";
  /** Cases, by their ids in test/grammar/cases.ts. */
  readonly cases: RegExp;
  /** The last thing that the standard requires to be seen. */
  readonly instead: string;
  /** What the transport does instead. */
  readonly sees: readonly string[];
  readonly why: string;
}

/** Excludes 7.7. There the client closes with a code, and the expected reply contains the same code. */
const DROPPED = { transport: "uws", cases: /^(?!7\.7)/, sees: ["dropped"] } as const;
const LENIENT_LENGTHS = {
  cases: /^x\.length\.(9|10|11)$/,
  instead: "close 1002",
  sees: ["answer 1", "open"],
  why: "takes a length that is written in more bytes than it needs, as nearly all servers do: its meaning is clear",
} as const;

/** The first row that fits applies. */
export const DEVIATIONS: readonly Deviation[] = [
  { transport: "ws", ...LENIENT_LENGTHS },
  {
    transport: "ws",
    cases: /^x\.length\.[123]$/,
    instead: "close 1002",
    sees: ["close 1009"],
    why: "takes the highest bit of a length for a part of it: too large in any case",
  },
  { transport: "uws", ...LENIENT_LENGTHS },
  {
    transport: "uws",
    cases: /^7\.(3\.2|9|13)/,
    instead: "close 1002",
    sees: ["close 1005"],
    why: "answers a close frame that is wrong with an empty one; the gateway is told 1006 or 1005",
  },
  {
    transport: "uws",
    cases: /^7\.5/,
    instead: "close 1007",
    sees: ["close 1005"],
    why: "answers a close frame that is wrong with an empty one",
  },
  {
    transport: "uws",
    cases: /^7\.7\.10$/,
    instead: "close 3000",
    sees: ["close 1005"],
    why: "does not know the codes from 3000 to 3999, and answers with an empty close frame",
  },
  {
    transport: "uws",
    cases: /^7\.7\.11$/,
    instead: "close 3999",
    sees: ["close 1005"],
    why: "does not know the codes from 3000 to 3999, and answers with an empty close frame",
  },
  {
    transport: "uws",
    cases: /^x\.fragment\.4$/,
    instead: "close 1002",
    sees: ["close 1003"],
    why: "takes a binary frame within a text for one by itself: it is refused as binary",
  },
  // The library ignores the mask bit and always takes the four bytes after the length as the mask. It reads
  // an unmasked frame as garbage that starts four bytes later. That ends the connection in some way, but
  // never delivers the original message.
  {
    transport: "uws",
    cases: /^x\.mask\.2$/,
    instead: "close 1002",
    sees: ["close 1003"],
    why: "no mask: read as other bytes, and a binary frame all the same",
  },
  {
    transport: "uws",
    cases: /^x\.mask\.4$/,
    instead: "close 1002",
    sees: ["pong ", "dropped"],
    why: "no mask: an empty ping has nothing to be read wrongly; what follows it is garbage",
  },
  {
    transport: "uws",
    cases: /^x\.mask\.6$/,
    instead: "close 1002",
    sees: ["close 1005"],
    why: "no mask: a close frame whose code is garbage",
  },
  {
    transport: "uws",
    cases: /^x\.mask\.9$/,
    instead: "close 1002",
    sees: ["answer 1", "open"],
    why: "the mask is there, only the bit that says so is not",
  },
  { ...DROPPED, instead: "close 1002", why: "drops the connection instead of a code" },
  { ...DROPPED, instead: "close 1007", why: "drops the connection instead of a code" },
  { ...DROPPED, instead: "close 1009", why: "drops the connection instead of a code" },
];

/**
 * Deviations for upgrade requests, by their ids in test/grammar/handshakes.ts: the status, or what happens
 * instead.
 */
export const HANDSHAKE_DEVIATIONS: readonly {
  readonly transport: "ws" | "uws";
  readonly ids: readonly string[];
  readonly sees: number | "dropped" | "silence";
  readonly why: string;
}[] = [
  {
    transport: "uws",
    ids: [
      "HTTP/1.0",
      "HTTP/2.0",
      "HTTP/1.11",
      "a whole URL",
      "CONNECT",
      "a NUL in the path",
      "bare line feeds",
    ],
    sees: 505,
    why: "answers by itself, and closes, where the first line is not one of HTTP/1.1 with a path",
  },
  {
    transport: "uws",
    ids: ["HTTP/0.9", "blank lines before"],
    sees: "silence",
    why: "waits for more of what it does not understand, until the time for a request is over: see test/attacks/slow.test.ts",
  },
  {
    transport: "uws",
    ids: ["a method of no meaning"],
    sees: 405,
    why: "takes any word for a method, and the router knows which there are",
  },
  {
    transport: "uws",
    ids: ["a method in small letters"],
    sees: 426,
    why: "takes methods in any case; it upgrades only GET",
  },
];

/**
 * Ends of a WebSocket that one transport treats as a regular close, which ends the sessions at once, and the
 * other does not.
 */
export const GOODBYE_DEVIATIONS: readonly { readonly end: string; readonly why: string }[] = [
  {
    end: "a close of one byte",
    why: "uWebSockets.js tells of it as of a close frame without a code, ws as of a broken one",
  },
];

/** The expected result of a case on a transport, and the row of the table if there is one. */
export function expected(
  transport: "ws" | "uws",
  id: string,
  sees: readonly string[],
): { readonly sees: readonly string[]; readonly deviation: Deviation | undefined } {
  const deviation = DEVIATIONS.find(
    (each) => each.transport === transport && each.instead === sees.at(-1) && each.cases.test(id),
  );
  if (deviation === undefined) return { sees, deviation };
  return { sees: [...sees.slice(0, -1), ...deviation.sees], deviation };
}

/**
 * Whether the result matches the expectation. If uWebSockets.js drops a connection, it also loses the replies
 * to messages that it read together with the cause.
 */
export function agrees(seen: readonly string[], expects: readonly string[]): boolean {
  if (seen.join("\n") === expects.join("\n")) return true;
  if (seen.at(-1) !== "dropped" || expects.at(-1) !== "dropped") return false;
  return seen.slice(0, -1).every((each, i) => each === expects[i]);
}
