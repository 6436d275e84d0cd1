import { nanoid } from "nanoid";

/** Makes names that nobody can guess: 21 characters of A-Z a-z 0-9 _ -, 126 random bits. */
export type MakeId = () => string;

export const makeId: MakeId = () => nanoid();
