import { type HashKey, keyedHashOfAscii } from "../collections/keyed-hash.ts";
import type { IdList } from "./id-list.ts";

/** Ids of ASCII characters, as they stand in a longer text. */
export class AsciiIds implements IdList {
  readonly length: number;
  readonly bytes: Uint8Array;
  /** By index: where an id begins, and where it has ended. */
  readonly starts: Int32Array;
  readonly ends: Int32Array;

  /** The lists of places may be longer than `length`. */
  constructor(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, length: number) {
    this.bytes = bytes;
    this.starts = starts;
    this.ends = ends;
    this.length = length;
  }

  lengthOf(index: number): number {
    return this.ends[index]! - this.starts[index]!;
  }

  hash(index: number, key: HashKey): number {
    return keyedHashOfAscii(this.bytes, this.starts[index]!, this.ends[index]!, key);
  }

  is(index: number, id: string): boolean {
    const { bytes } = this;
    const start = this.starts[index]!;
    const { length } = id;
    if (this.ends[index]! - start !== length) return false;
    for (let i = 0; i < length; i++) if (id.charCodeAt(i) !== bytes[start + i]) return false;
    return true;
  }

  areSame(one: number, other: number): boolean {
    const { bytes, starts, ends } = this;
    const start = starts[one]!;
    const length = ends[one]! - start;
    const otherStart = starts[other]!;
    if (ends[other]! - otherStart !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== bytes[otherStart + i]) return false;
    return true;
  }
}
