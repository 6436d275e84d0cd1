import { addressKey } from "./admission.ts";
import type { GatewayConfig } from "./gateway-config.ts";

/** What all of them may hold: the memory gate, which closes at four fifths, leaves room for that. */
const SHARE_OF_MEMORY = 1 / 8;
/** One address may hold this share of it. */
const SHARE_OF_ADDRESS = 1 / 4;
/** A crowd of any node comes in through fewer, though more slowly. */
const MIN_NEWCOMERS = 128;
/** For 4 s after a close frame the library may keep the connection, to see the peer's end of it. */
const LINGER_MS = 5_000;

/** `newcomers`: there are too many of all addresses. */
export type NewcomerRefusal = "newcomers" | "newcomers_per_address";

interface Lingering {
  readonly key: string;
  readonly until: number;
}

/** A socket that is charged as a newcomer until it is released or has ended. Twice does no harm. */
export class Newcomer {
  readonly ok = true;
  readonly #onEnd: (key: string, until: number | undefined) => void;
  #key: string | undefined;

  constructor(key: string, onEnd: (key: string, until: number | undefined) => void) {
    this.#key = key;
    this.#onEnd = onEnd;
  }

  /** It has connected, or is known to hold nothing. */
  release(): void {
    this.#end(undefined);
  }

  /** It has ended, and what it holds is there until the library lets go of the connection. */
  ended(now: number): void {
    this.#end(now + LINGER_MS);
  }

  #end(until: number | undefined): void {
    if (this.#key !== undefined) this.#onEnd(this.#key, until);
    this.#key = undefined;
  }
}

/**
 * Sockets that have not connected yet, on a transport that puts messages together out of our sight. Each may
 * hold an unfinished message of the largest size, though only a short one would be taken. So each is
 * charged for that, and there are no more of them than memory allows.
 */
export class Newcomers {
  /** How many there may be, of all addresses and of one. */
  readonly max: number;
  readonly maxPerAddress: number;
  readonly #byAddress = new Map<string, number>();
  /** The first to be let go of in front. */
  readonly #lingering = new Set<Lingering>();
  #count = 0;

  /** `memoryLimit`: bytes that this process may use. */
  constructor(memoryLimit: number, { maxMessageBytes }: Pick<GatewayConfig, "maxMessageBytes">) {
    this.max = Math.max(MIN_NEWCOMERS, Math.floor((SHARE_OF_MEMORY * memoryLimit) / maxMessageBytes));
    this.maxPerAddress = Math.floor(SHARE_OF_ADDRESS * this.max);
  }

  /** Those who are there: zero when all have connected or gone. */
  get present(): number {
    return this.#count - this.#lingering.size;
  }

  /** Lets in one more of an address, or says why not. */
  admit(address: string, now: number): Newcomer | NewcomerRefusal {
    for (const each of this.#lingering) {
      if (each.until > now) break;
      this.#lingering.delete(each);
      this.#uncount(each.key);
    }
    if (this.#count >= this.max) return "newcomers";
    const key = addressKey(address);
    const held = this.#byAddress.get(key) ?? 0;
    if (held >= this.maxPerAddress) return "newcomers_per_address";
    this.#count++;
    this.#byAddress.set(key, held + 1);
    return new Newcomer(key, this.#onEnd);
  }

  readonly #onEnd = (key: string, until: number | undefined): void => {
    if (until === undefined) this.#uncount(key);
    else this.#lingering.add({ key, until });
  };

  #uncount(key: string): void {
    this.#count--;
    const left = this.#byAddress.get(key)! - 1;
    if (left === 0) this.#byAddress.delete(key);
    else this.#byAddress.set(key, left);
  }
}
