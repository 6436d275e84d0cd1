import { LinkedMap } from "../../core/collections/linked-map.ts";
import { addressKey } from "./admission.ts";
import type { GatewayConfig } from "./gateway-config.ts";

/**
 * The share of memory that all newcomers may hold. The load shedder, which refuses clients from four fifths
 * on, leaves room for it.
 */
const SHARE_OF_MEMORY = 1 / 8;
/** The share of that which one address may hold. */
const SHARE_OF_ADDRESS = 1 / 4;
/** The least number of newcomers: a crowd of any size gets in through fewer, though more slowly. */
const MIN_NEWCOMERS = 128;
/** The library may keep the connection for 4 s after a close frame, to see the client's end of it. */
const LINGER_MS = 5_000;

/** `newcomers`: there are too many from all addresses together. */
export type NewcomerRefusal = "newcomers" | "newcomers_per_address";

/**
 * A socket that counts as a newcomer until it is released or has ended. Calling either twice has no effect.
 */
export class Newcomer {
  readonly ok = true;
  readonly addressKey: string;
  readonly #onEnd: (newcomer: Newcomer, until: number | undefined) => void;
  #hasEnded = false;

  constructor(key: string, onEnd: (newcomer: Newcomer, until: number | undefined) => void) {
    this.addressKey = key;
    this.#onEnd = onEnd;
  }

  /** The socket has connected, or is known to hold no unfinished message. */
  release(): void {
    this.#end(undefined);
  }

  /** The socket has ended. It still counts until the library drops the connection. */
  ended(now: number): void {
    this.#end(now + LINGER_MS);
  }

  #end(until: number | undefined): void {
    if (!this.#hasEnded) this.#onEnd(this, until);
    this.#hasEnded = true;
  }
}

/**
 * Sockets that have not connected yet, on a transport that assembles messages inside the library. Each may
 * hold an unfinished message of the largest size, though only a short one would be accepted. So each counts
 * for that much memory, and their number is limited.
 */
export class Newcomers {
  /** The most newcomers, from all addresses and from one. */
  readonly max: number;
  readonly maxPerAddress: number;
  readonly #byAddress = new Map<string, number>();
  /** Ended sockets that still count, and until when, the first to expire in front. */
  readonly #lingering = new LinkedMap<Newcomer, number>();
  #count = 0;

  /** `memoryLimit`: bytes that this process may use. */
  constructor(memoryLimit: number, { maxMessageBytes }: Pick<GatewayConfig, "maxMessageBytes">) {
    this.max = Math.max(MIN_NEWCOMERS, Math.floor((SHARE_OF_MEMORY * memoryLimit) / maxMessageBytes));
    this.maxPerAddress = Math.floor(SHARE_OF_ADDRESS * this.max);
  }

  /** How many newcomers are open; zero once all have connected or gone. */
  get present(): number {
    return this.#count - this.#lingering.size;
  }

  /** Admits one more newcomer from an address, or says why not. */
  admit(address: string, now: number): Newcomer | NewcomerRefusal {
    for (let next = this.#lingering.first; next && next.value <= now; next = this.#lingering.first) {
      this.#lingering.delete(next.key);
      this.#uncount(next.key);
    }
    if (this.#count >= this.max) return "newcomers";
    const key = addressKey(address);
    const held = this.#byAddress.get(key) ?? 0;
    if (held >= this.maxPerAddress) return "newcomers_per_address";
    this.#count++;
    this.#byAddress.set(key, held + 1);
    return new Newcomer(key, this.#onEnd);
  }

  readonly #onEnd = (newcomer: Newcomer, until: number | undefined): void => {
    if (until === undefined) this.#uncount(newcomer);
    else this.#lingering.set(newcomer, until);
  };

  #uncount({ addressKey: key }: Newcomer): void {
    this.#count--;
    const left = this.#byAddress.get(key)! - 1;
    if (left === 0) this.#byAddress.delete(key);
    else this.#byAddress.set(key, left);
  }
}
