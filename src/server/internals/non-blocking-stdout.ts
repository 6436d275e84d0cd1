import { constants, fstatSync, openSync } from "node:fs";

/**
 * A file descriptor for standard output on which no write waits.
 *
 * Relies on: Linux opens a pipe again through `/proc/self/fd/1`, with flags of its own. The flags of
 * descriptor 1 are shared with other processes that write to the same pipe, so they stay as they are.
 * Why: a write that waits for the reader of a full pipe holds a thread, and a process that is to end waits
 * for its threads.
 * Without it: descriptor 1 itself. A reader that has stopped reading can then delay the end of this process.
 */
export function nonBlockingStdout(): number {
  try {
    if (fstatSync(1).isFIFO()) return openSync("/proc/self/fd/1", constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // It is closed, its reader has gone, or this is no Linux.
  }
  return 1;
}
