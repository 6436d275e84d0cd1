import { type HashKey, keyedHash } from "../collections/keyed-hash.ts";

/**
 * A list of ids that are looked up together. The ids need not be strings: to make thousands of them takes
 * longer than to look them up.
 */
export interface IdList {
  readonly length: number;
  /** The length of an id in UTF-16 units. */
  lengthOf(index: number): number;
  /** The `keyedHash` of an id. */
  hash(index: number, key: HashKey): number;
  /** Whether an id is this one. */
  is(index: number, id: string): boolean;
  /** Whether two ids of the list are the same. */
  areSame(one: number, other: number): boolean;
}

/** Ids that are strings. */
export class TextIds implements IdList {
  readonly texts: readonly string[];

  constructor(texts: readonly string[]) {
    this.texts = texts;
  }

  get length(): number {
    return this.texts.length;
  }

  lengthOf(index: number): number {
    return this.texts[index]!.length;
  }

  hash(index: number, key: HashKey): number {
    return keyedHash(this.texts[index]!, key);
  }

  is(index: number, id: string): boolean {
    return this.texts[index] === id;
  }

  areSame(one: number, other: number): boolean {
    return this.texts[one] === this.texts[other];
  }
}
