import { AsciiIds } from "../../core/sessions/ascii-ids.ts";
import type { TextIds } from "../../core/sessions/id-list.ts";
import { STATUS_BIT } from "../../core/sessions/status.ts";
import { ABSENT, type CheckedUsers, PRESENT, type Verdict } from "../gateway/check-users.ts";
import type { WholeBody } from "./exchange.ts";

/** A comma and the quotes of an id. */
const AROUND_ID = 3;

/**
 * The answer to a check as JSON: `present` and `absent`, each with the ids in the order of the list, each id
 * once, and `statuses` of those who are absent, but have a session and are not invisible.
 */
export function checkAnswer(ids: TextIds | AsciiIds, users: CheckedUsers, isDegraded: boolean): WholeBody {
  const end = isDegraded ? '}},"degraded":true}' : "}}}";
  return ids instanceof AsciiIds ? bytesOf(ids, users, end) : textOf(ids, users, end);
}

function textOf({ texts }: TextIds, { size, places, verdicts }: CheckedUsers, end: string): string {
  const present: string[] = [];
  const absent: string[] = [];
  const statuses: string[] = [];
  for (let i = 0; i < size; i++) {
    const userId = texts[places[i]!]!;
    const verdict = verdicts[i]!;
    (verdict === PRESENT ? present : absent).push(userId);
    if (hasStatus(verdict)) statuses.push(`${JSON.stringify(userId)}${STATUS_TEXTS[verdict]!}`);
  }
  const lists = `"present":${JSON.stringify(present)},"absent":${JSON.stringify(absent)}`;
  return `{"data":{${lists},"statuses":{${statuses.join(",")}${end}`;
}

/** The same in bytes: ids of ASCII are copied from where they stand, without a string for each. */
function bytesOf(ids: AsciiIds, { size, places, verdicts }: CheckedUsers, end: string): Uint8Array {
  const answer = new AnswerBytes(ids, lengthOf(ids, { size, places, verdicts }, end));
  answer.write('{"data":{"present":[');
  let isFirst = true;
  for (let i = 0; i < size; i++) {
    if (verdicts[i] !== PRESENT) continue;
    answer.writeId(places[i]!, isFirst);
    isFirst = false;
  }
  answer.write('],"absent":[');
  isFirst = true;
  for (let i = 0; i < size; i++) {
    if (verdicts[i] === PRESENT) continue;
    answer.writeId(places[i]!, isFirst);
    isFirst = false;
  }
  answer.write('],"statuses":{');
  isFirst = true;
  for (let i = 0; i < size; i++) {
    const verdict = verdicts[i]!;
    if (!hasStatus(verdict)) continue;
    answer.writeId(places[i]!, isFirst);
    answer.writeBytes(STATUS_BYTES[verdict]!);
    isFirst = false;
  }
  answer.write(end);
  return answer.written;
}

/** Bytes that suffice for the answer: those of each id with its quotes and a comma. */
function lengthOf(ids: AsciiIds, { size, places, verdicts }: CheckedUsers, end: string): number {
  let length = 100 + end.length;
  for (let i = 0; i < size; i++) {
    const verdict = verdicts[i]!;
    const idLength = ids.lengthOf(places[i]!) + AROUND_ID;
    length += hasStatus(verdict) ? 2 * idLength + STATUS_BYTES[verdict]!.length : idLength;
  }
  return length;
}

function hasStatus(verdict: Verdict): boolean {
  return verdict !== PRESENT && verdict !== ABSENT;
}

/** `:"online"` by verdict. */
const STATUS_TEXTS: readonly string[] = Object.entries(STATUS_BIT).reduce<string[]>(
  (texts, [status, bit]) => {
    texts[bit] = `:"${status}"`;
    return texts;
  },
  [],
);
const STATUS_BYTES: readonly Uint8Array[] = STATUS_TEXTS.map((text) => Buffer.from(text));

const QUOTE = 0x22;
const COMMA = 0x2c;

/** Bytes that are copied at once. */
const WORD = 4;

class AnswerBytes {
  readonly #ids: AsciiIds;
  readonly #source: DataView;
  readonly #bytes: Buffer;
  readonly #words: DataView;
  #length = 0;

  constructor(ids: AsciiIds, maxLength: number) {
    this.#ids = ids;
    this.#source = viewOf(ids.bytes);
    this.#bytes = Buffer.allocUnsafeSlow(maxLength + WORD);
    this.#words = viewOf(this.#bytes);
  }

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  write(text: string): void {
    this.#length += this.#bytes.write(text, this.#length, "latin1");
  }

  writeBytes(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) this.#bytes[this.#length + i] = bytes[i]!;
    this.#length += bytes.length;
  }

  /** Writes an id in quotes, after a comma unless it is the first of its list. */
  writeId(place: number, isFirst: boolean): void {
    const { starts, ends } = this.#ids;
    const source = this.#source;
    const words = this.#words;
    const start = starts[place]!;
    const end = ends[place]!;
    let at = this.#length;
    if (!isFirst) words.setUint8(at++, COMMA);
    words.setUint8(at++, QUOTE);
    // Copies up to three bytes too many, which the next bytes overwrite. A body has as many after an id.
    for (let from = start; from < end; from += WORD) words.setInt32(at + from - start, source.getInt32(from));
    at += end - start;
    words.setUint8(at++, QUOTE);
    this.#length = at;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}
