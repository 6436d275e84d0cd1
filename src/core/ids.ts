import { random, urlAlphabet } from "nanoid";
import { MADE_ID_LENGTH } from "../protocol/rules.ts";

/** Makes names that nobody can guess: 21 characters of A-Z a-z 0-9 _ -, 126 random bits. */
export type MakeId = () => string;

const CODES = Uint8Array.from(urlAlphabet, (character) => character.charCodeAt(0));

/**
 * A nanoid, made in one piece. `nanoid()` itself adds up characters, and V8 keeps each step of that as long
 * as the text lives: 320 bytes an id where these have 40, and a gateway keeps one for every session.
 */
export const makeId: MakeId = () =>
  String.fromCharCode(...random(MADE_ID_LENGTH).map((byte) => CODES[byte & (CODES.length - 1)]!));
