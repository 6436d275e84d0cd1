import type { z } from "zod";
import { AsciiIds } from "../../core/sessions/ascii-ids.ts";
import { TextIds } from "../../core/sessions/id-list.ts";
import { isObject, MAX_CHECKED_IDS, MAX_ID_LENGTH } from "../../protocol/rules.ts";
import { parseBody, type ReadJson, readJsonBody, wrongType } from "./json-body.ts";
import { Check } from "./request-bodies.ts";

/** Whom a back end asks about. */
export interface CheckQuestion {
  readonly ids: TextIds | AsciiIds;
  readonly filter: z.output<typeof Check>["filter"];
}

/** Reads the body of a check. */
export function readCheckBody(body: Buffer, type: string | undefined): ReadJson<CheckQuestion> {
  const quick = wrongType(body, type) === undefined ? readPlain(body) : undefined;
  if (quick !== undefined) return { ok: true, value: quick };
  const read = readJsonBody(body, type, Check, "filter");
  if (!read.ok) return read;
  const { userIds, filter } = read.value;
  return { ok: true, value: { ids: new TextIds(userIds), filter } };
}

const NAME = '"userIds"';
/** The most bytes beside the list that are parsed here. A filter has fewer. */
const MAX_REST_BYTES = 65_536;

/**
 * Reads a body whose ids are ASCII without escapes, as nearly all are. That takes a fraction of the time: no
 * string is made of an id. Undefined: the body is another one, or not valid, and must be read by the schema.
 */
function readPlain(body: Buffer): CheckQuestion | undefined {
  const name = body.indexOf(NAME);
  if (name < 0) return undefined;
  const colon = skipSpace(body, name + NAME.length);
  const from = skipSpace(body, colon + 1);
  if (body[colon] !== COLON || body[from] !== OPEN) return undefined;
  const scanned = scanIds(body, from);
  if (scanned === undefined || body.length - (scanned.end - from) > MAX_REST_BYTES) return undefined;
  const { ids, end } = scanned;
  // Other keys may have the same name. This list is the one that counts if what stands in its place is what
  // the parser finds, whatever that is.
  const [head, tail] = [body.subarray(0, from), body.subarray(end)];
  const [value, other] = [parsedWith(ONE, head, tail), parsedWith(TWO, head, tail)];
  if (value?.userIds !== "1" || other?.userIds !== "2") return undefined;
  const checked = Check.safeParse({ ...value, userIds: ["id"] });
  return checked.success ? { ids, filter: checked.data.filter } : undefined;
}

// Texts, because what comes next could belong to a number: `.0` behind a list is an error, and `1.0` is not.
const ONE = Buffer.from('"1"');
const TWO = Buffer.from('"2"');

function parsedWith(
  middle: Buffer,
  head: Buffer,
  tail: Buffer,
): Readonly<Record<string, unknown>> | undefined {
  const parsed = parseBody(Buffer.concat([head, middle, tail]));
  return parsed.ok && isObject(parsed.value) ? parsed.value : undefined;
}

const COLON = 0x3a;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** 1: the byte stands for itself in a string of JSON, and is allowed in an id. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x20 && byte < 0x7f && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0,
);
/** What JSON takes for white space. */
const IS_SPACE = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d ? 1 : 0,
);

/** The bytes of the shortest id, with its quotes and a comma. */
const SHORTEST = 4;

/**
 * Reads a list of ids, which begins at `from`. `end`: where it has ended. Undefined: it is empty, too long,
 * or has something else in it than ids of ASCII without escapes.
 */
function scanIds(bytes: Uint8Array, from: number): { ids: AsciiIds; end: number } | undefined {
  const most = Math.min(MAX_CHECKED_IDS, Math.ceil((bytes.length - from) / SHORTEST));
  const starts = new Int32Array(most);
  const ends = new Int32Array(most);
  const { length } = bytes;
  let at = from;
  for (let count = 0; count < most; ) {
    at = skipSpace(bytes, at + 1);
    if (at >= length || bytes[at] !== QUOTE) return undefined;
    const start = ++at;
    while (at + 3 < length && arePlain(bytes, at)) at += 4;
    while (at < length && IS_PLAIN[bytes[at]!] === 1) at++;
    if (at >= length || bytes[at] !== QUOTE) return undefined;
    if (at === start || at - start > MAX_ID_LENGTH) return undefined;
    starts[count] = start;
    ends[count] = at;
    count++;
    at = skipSpace(bytes, at + 1);
    if (at >= length) return undefined;
    if (bytes[at] === CLOSE) return { ids: new AsciiIds(bytes, starts, ends, count), end: at + 1 };
    if (bytes[at] !== COMMA) return undefined;
  }
  return undefined;
}

/** Whether four bytes are plain. To look at them together takes half as long as one after the other. */
function arePlain(bytes: Uint8Array, at: number): boolean {
  const a = IS_PLAIN[bytes[at]!]! & IS_PLAIN[bytes[at + 1]!]!;
  const b = IS_PLAIN[bytes[at + 2]!]! & IS_PLAIN[bytes[at + 3]!]!;
  return (a & b) === 1;
}

function skipSpace(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && IS_SPACE[bytes[at]!] === 1) at++;
  return at;
}
