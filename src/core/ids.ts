import { Buffer } from "node:buffer";
import { urlAlphabet } from "nanoid";
import { MADE_ID_LENGTH } from "../protocol/rules.ts";

/** Makes ids that nobody can guess: 21 characters of A-Z a-z 0-9 _ -, with 126 random bits. */
export type MakeId = () => string;

const CODES = Uint8Array.from(urlAlphabet, (character) => character.charCodeAt(0));

/** The characters of the next ids, each used once. */
const characters = Buffer.alloc(128 * MADE_ID_LENGTH);
let used = characters.length;

/**
 * A nanoid, built in one piece. `nanoid()` itself concatenates characters, and V8 keeps each intermediate
 * string as long as the id lives: 320 bytes for an id instead of 40. A gateway keeps one id for every
 * session.
 */
export const makeId: MakeId = () => {
  if (used === characters.length) refill();
  const from = used;
  used += MADE_ID_LENGTH;
  return characters.toString("latin1", from, used);
};

function refill(): void {
  crypto.getRandomValues(characters);
  // By index: this runs too rarely to be compiled, and an iterator would allocate for each character.
  for (let i = 0; i < characters.length; i++) characters[i] = CODES[characters[i]! & (CODES.length - 1)]!;
  used = 0;
}
