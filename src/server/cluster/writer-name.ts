/** Digits for the milliseconds since 1970, until the year 5188. */
const TIME_LENGTH = 9;

/**
 * Makes the names of a node as a writer. They begin with the start of its process, so the names of an older
 * process come first, and the rest of an id tells names of one moment apart. They are as long as ids.
 *
 * @param startedAt Milliseconds since 1970.
 */
export function writerNames(startedAt: number, makeId: () => string): () => string {
  const time = Math.floor(startedAt).toString(36).padStart(TIME_LENGTH, "0");
  return () => time + makeId().slice(TIME_LENGTH);
}

const WRITER_NAME = /^[\w-]{1,64}$/;

/** Whether a text that was read can be the name of a writer, of any version. */
export function isWriterName(text: string): boolean {
  return WRITER_NAME.test(text);
}
