import { readJwks } from "./jwks.ts";
import type { PublicKey } from "./public-key.ts";

/** A JWKS is not fetched again for this long after the last fetch, failed ones included. */
export const JWKS_REST_MS = 30_000;
/**
 * A token that was issued so long before a JWKS was fetched has its key there, or nowhere. Clocks may differ,
 * and issuers publish a key before they sign with it.
 */
const SETTLED_MS = 60_000;
/** The callers that are told in one turn of the event loop: each may verify a signature then. */
const TOLD_PER_TURN = 16;

/** Fetches the text at a URL. @throws Error with a message that may be logged. */
export type FetchText = (url: string) => Promise<string>;

export interface JwksEvents {
  /** A fetch has ended: with so many usable keys. */
  fetched(url: string, keys: number): void;
  failed(url: string, reason: string): void;
}

export interface JwksSourceOptions {
  readonly fetchText: FetchText;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  readonly events: JwksEvents;
}

/**
 * The keys at one URL. They are fetched at the start, and again for tokens with an unknown `kid`. While that
 * fails, the last ones stay.
 */
export class JwksSource {
  readonly url: string;
  readonly #options: JwksSourceOptions;
  readonly #waiting = new Set<() => void>();
  #keys: readonly PublicKey[] = [];
  #isFetching = false;
  #hasFailed = false;
  /** When the last fetch ended. */
  #endedAt = Number.NEGATIVE_INFINITY;
  /** When the keys were fetched, in milliseconds since 1970; undefined: never. */
  #fetchedAt: number | undefined;

  constructor(url: string, options: JwksSourceOptions) {
    this.url = url;
    this.#options = options;
  }

  /** The same array until the keys change. */
  get keys(): readonly PublicKey[] {
    return this.#keys;
  }

  /** Whether the last fetch has failed, or none has ended yet. */
  get isMissing(): boolean {
    return this.#hasFailed || this.#fetchedAt === undefined;
  }

  /** Whether a token that was issued at this time has its key in the set, or nowhere. Undefined: unknown. */
  isSettled(issuedAtMs: number | undefined): boolean {
    if (this.isMissing || issuedAtMs === undefined) return false;
    return issuedAtMs < this.#fetchedAt! - SETTLED_MS;
  }

  /** Milliseconds until the keys may be fetched again. */
  get restMs(): number {
    return Math.max(0, Math.ceil(this.#endedAt + JWKS_REST_MS - this.#options.now()));
  }

  /** Fetches the keys, unless that was done lately. Returns whether a fetch is under way now. */
  request(): boolean {
    if (!this.#isFetching && this.restMs === 0) void this.#fetch();
    return this.#isFetching;
  }

  /**
   * Calls back once the fetch that is under way has ended. Returns a function that takes this back. What is
   * called must not throw.
   */
  onceFetched(callback: () => void): () => void {
    const entry = () => callback();
    this.#waiting.add(entry);
    return () => this.#waiting.delete(entry);
  }

  /** How many callers wait. For tests. */
  get waiting(): number {
    return this.#waiting.size;
  }

  async #fetch(): Promise<void> {
    const { fetchText, now, wallNow, events } = this.#options;
    const startedAt = wallNow();
    this.#isFetching = true;
    try {
      const keys = readJwks(await fetchText(this.url), this.url);
      if (keys === undefined) throw new Error("the answer is no JWKS");
      if (!isSame(this.#keys, keys)) this.#keys = keys;
      this.#hasFailed = false;
      this.#fetchedAt = startedAt;
      events.fetched(this.url, keys.length);
    } catch (error) {
      this.#hasFailed = true;
      events.failed(this.url, error instanceof Error ? error.message : "unknown error");
    } finally {
      this.#isFetching = false;
      this.#endedAt = now();
      this.#tell([...this.#waiting]);
      this.#waiting.clear();
    }
  }

  /** In several turns, so that others are served in between. */
  #tell(callbacks: readonly (() => void)[]): void {
    for (const callback of callbacks.slice(0, TOLD_PER_TURN)) callback();
    if (callbacks.length > TOLD_PER_TURN) setImmediate(() => this.#tell(callbacks.slice(TOLD_PER_TURN)));
  }
}

function isSame(before: readonly PublicKey[], after: readonly PublicKey[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ kid, signer }, i) => {
      const other = after[i]!;
      return kid === other.kid && signer.fingerprint === other.signer.fingerprint;
    })
  );
}
