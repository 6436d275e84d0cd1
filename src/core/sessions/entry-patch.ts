import type { EncodedEntry } from "../../protocol/codec.ts";
import type { SessionField } from "../../protocol/wire.ts";
import { FIELD_BIT } from "./session.ts";

/**
 * The entry of a user who stays in the result, as a patch of the entry before:
 * `"alice":{"changed":{"s1":{"isTyping":true}}}`. Returns `after` itself if the listed sessions are not the
 * same ones in the same order, if a session that differs has no id, or if the patch would not be shorter.
 *
 * Both entries are those of one user and one filter, as `UserRow` encodes them, and differ. `fields`: those
 * of the filter. Only the texts are read, so a view keeps nothing more for patches.
 */
export function patchEntry(before: EncodedEntry, after: EncodedEntry, fields: number): EncodedEntry {
  const braceAt = endOfText(after, 0) + 1;
  let status = "";
  let beforeAt = braceAt + 1;
  let afterAt = braceAt + 1;
  for (const name of STATUS_NAMES) {
    const old = textAt(before, beforeAt, name);
    const value = textAt(after, afterAt, name);
    if (old !== undefined) beforeAt += name.length + old.length + 1;
    if (value !== undefined) afterAt += name.length + value.length + 1;
    if (value !== old) status += `,${name}${value ?? "null"}`;
  }
  const changed = changedSessions(before, after, beforeAt, afterAt, fields);
  if (changed === undefined) return after;
  const patch = `${after.slice(0, braceAt)}{"changed":{${changed}}${status}}`;
  return patch.length < after.length ? patch : after;
}

/** The fields before the lists, in their order. The value of each is a text. */
const STATUS_NAMES: readonly string[] = ['"status":', '"statusText":', '"statusEmoji":'];

/** The fields of a session, in their order. */
const SESSION_FIELDS: readonly SessionField[] = [
  "selectedConversationId",
  "custom",
  "hasFocus",
  "isTyping",
  "sessionId",
];

/** The names in a session for each set of fields. */
const NAMES: readonly (readonly string[])[] = Array.from({ length: 32 }, (_, fields) =>
  SESSION_FIELDS.filter((field) => (fields & FIELD_BIT[field]) !== 0).map((field) => `"${field}":`),
);

/**
 * `"s1":{"isTyping":true}` for each session that differs, joined with commas. Undefined if only the whole
 * entry can say what has changed. The places are those where the lists begin.
 */
function changedSessions(before: string, after: string, beforeAt: number, afterAt: number, fields: number) {
  let a = beforeAt;
  let b = afterAt;
  let all = "";
  while (!isSame(before, a, before.length, after, b, after.length)) {
    const names = NAMES[fields]!;
    if ((fields & FIELD_BIT.sessionId) === 0) return undefined;
    // Comparing slices takes far less time than comparing characters one after the other.
    const differsAt = b + samePrefix(before, a, after, b);
    const sessionAt = lastSessionBefore(differsAt, b, after, names[0]!);
    if (sessionAt === undefined) return undefined;
    a += sessionAt - b;
    b = sessionAt;
    let changed = "";
    for (const name of names) {
      // The brace or comma before the name.
      const nameAt = b + 1;
      const valueAt = nameAt + name.length;
      const end = endOfValue(after, valueAt);
      const start = a + valueAt - b;
      const oldEnd = end <= differsAt ? start + end - valueAt : endOfValue(before, start);
      if (end > differsAt && !isSame(before, start, oldEnd, after, valueAt, end)) {
        // Another session.
        if (name === ID_NAME) return undefined;
        changed += `${changed === "" ? "" : ","}${after.slice(nameAt, end)}`;
      } else if (name === ID_NAME) {
        // The session is the same one, so the lists differ.
        if (changed === "") return undefined;
        all += `${all === "" ? "" : ","}${after.slice(valueAt, end)}:{${changed}}`;
      }
      a = oldEnd;
      b = end;
    }
  }
  return all;
}

const ID_NAME = '"sessionId":';

/**
 * Where the last session begins whose first name is between `start` and `end`. Its brace follows another
 * session or opens a list. Nothing inside a session looks like that: in a text each quote is escaped, and the
 * brace of `custom` follows a colon.
 */
function lastSessionBefore(end: number, start: number, entry: string, firstName: string): number | undefined {
  // Only this part is searched, so many sessions that changed cost no more than the entry is long.
  const part = entry.slice(start, end);
  const at = Math.max(part.lastIndexOf(`,{${firstName}`), part.lastIndexOf(`[{${firstName}`));
  return at >= 0 ? start + at + 1 : undefined;
}

/** How many characters are the same in both texts, from these places on. */
function samePrefix(one: string, oneAt: number, other: string, otherAt: number): number {
  let same = 0;
  let limit = Math.min(one.length - oneAt, other.length - otherAt);
  while (same < limit) {
    const middle = (same + limit + 1) >> 1;
    if (isSame(one, oneAt + same, oneAt + middle, other, otherAt + same, otherAt + middle)) same = middle;
    else limit = middle - 1;
  }
  return same;
}

function isSame(
  one: string,
  oneAt: number,
  oneEnd: number,
  other: string,
  otherAt: number,
  otherEnd: number,
) {
  return oneEnd - oneAt === otherEnd - otherAt && one.slice(oneAt, oneEnd) === other.slice(otherAt, otherEnd);
}

/** The text that is the value of the field at that place; undefined if another field is there. */
function textAt(entry: string, at: number, name: string): string | undefined {
  if (!entry.startsWith(name, at)) return undefined;
  const start = at + name.length;
  return entry.slice(start, endOfText(entry, start));
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const FALSE = 0x66;

/** The index after the value at `at`: a text, null, a flag, or an object of texts. */
function endOfValue(entry: string, at: number): number {
  const code = entry.charCodeAt(at);
  if (code === QUOTE) return endOfText(entry, at);
  if (code !== OPEN_BRACE) return at + (code === FALSE ? 5 : 4);
  if (entry.charCodeAt(at + 1) === CLOSE_BRACE) return at + 2;
  let end = at;
  do end = endOfText(entry, endOfText(entry, end + 1) + 1);
  while (entry.charCodeAt(end) === COMMA);
  return end + 1;
}

/** The index after the text whose opening quote is at `at`. */
function endOfText(entry: string, at: number): number {
  let end = entry.indexOf('"', at + 1);
  while (isEscaped(entry, end)) end = entry.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(entry: string, at: number): boolean {
  let start = at;
  while (entry.charCodeAt(start - 1) === BACKSLASH) start--;
  return (at - start) % 2 === 1;
}
