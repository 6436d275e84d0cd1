const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;
/** A worker that lived for so long did not end for a reason that it has from its start. */
const STEADY_MS = 60_000;

/** How long to wait before a worker that has ended is started again: longer each time it ends soon. */
export class RestartPause {
  #ends = 0;

  /** `livedMs`: for how long the worker has run. Returns milliseconds; 0 after a steady run. */
  next(livedMs: number): number {
    if (livedMs >= STEADY_MS) this.#ends = 0;
    const pause = this.#ends === 0 ? 0 : Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#ends - 1));
    this.#ends++;
    return pause;
  }
}
