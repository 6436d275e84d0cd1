import type { BudgetRates } from "./budget-rates.ts";

/** A burst by so many parts may be taken beyond the share of this process before the others are told. */
const UNTOLD_PARTS = 16;

/**
 * Decides what the other processes have to know of what one user takes here. Nothing, while it is less than
 * the share of this process: then all processes together stay within the rate. Otherwise all of it, until the
 * user has been quiet. Once one process tells, the others do too.
 */
export class SharedUse {
  readonly #rates: BudgetRates;
  readonly #workers: number;
  /** What was taken beyond the share. */
  #messages = 0;
  #bytes = 0;
  #at: number;
  #tells = false;
  /** What the others have not been told. */
  #untoldMessages = 0;
  #untoldBytes = 0;

  constructor(rates: BudgetRates, workers: number, now: number) {
    this.#rates = rates;
    this.#workers = workers;
    this.#at = now;
  }

  /** One message was taken. Returns whether the others are to be told: `untold` has how much. */
  take(bytes: number, now: number): boolean {
    this.#decay(now);
    this.#messages++;
    this.#bytes += bytes;
    this.#untoldMessages++;
    this.#untoldBytes += bytes;
    const { burstMessages, burstBytes } = this.#rates;
    this.#tells ||= this.#messages * UNTOLD_PARTS > burstMessages || this.#bytes * UNTOLD_PARTS > burstBytes;
    return this.#tells;
  }

  /** Another process tells what it has taken, so this one tells as well. */
  othersTake(now: number): void {
    this.#decay(now);
    // Else it would seem to be quiet.
    this.#messages = Math.max(this.#messages, 1);
    this.#tells = true;
  }

  /** What the others have not been told. They are told now. */
  untold(): { readonly messages: number; readonly bytes: number } {
    const told = { messages: this.#untoldMessages, bytes: this.#untoldBytes };
    this.#untoldMessages = 0;
    this.#untoldBytes = 0;
    return told;
  }

  #decay(now: number): void {
    const seconds = Math.max(0, now - this.#at) / 1_000;
    this.#at = Math.max(this.#at, now);
    const { messagesPerSecond, bytesPerSecond } = this.#rates;
    this.#messages = Math.max(0, this.#messages - (seconds * messagesPerSecond) / this.#workers);
    this.#bytes = Math.max(0, this.#bytes - (seconds * bytesPerSecond) / this.#workers);
    if (this.#messages > 0 || this.#bytes > 0) return;
    this.#tells = false;
    this.#untoldMessages = 0;
    this.#untoldBytes = 0;
  }
}
