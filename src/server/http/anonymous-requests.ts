import { KeyedBuckets } from "../../core/collections/keyed-buckets.ts";
import { addressKey } from "../gateway/admission.ts";
import { partsOfSharedKey, SHARED, type SharedLimits } from "../gateway/shared-limits.ts";
import type { Telemetry } from "../gateway/telemetry.ts";
import { errorResponse, type HttpResponse } from "./exchange.ts";

/**
 * Requests without valid credentials that one address may make: far more than pages, checks and mistakes
 * need.
 */
export const ANONYMOUS_PER_SECOND = 200;
export const ANONYMOUS_BURST = 1_000;
/** A bound on the addresses that are remembered. Beyond it, the quietest address is forgotten. */
const MAX_ADDRESSES = 16_384;

const RETRY_AFTER = { "retry-after": "1" };
const TOO_MANY: HttpResponse = {
  ...errorResponse(429, { rate: ["too many requests without valid credentials"] }, RETRY_AFTER),
  closeAfter: true,
};

export interface AnonymousRequestsOptions {
  readonly telemetry: Telemetry;
  readonly now: () => number;
  /** Whether an address is a proxy of ours, which makes requests for many clients. */
  readonly isProxy: (address: string) => boolean;
  /** What other processes of this gateway count, if there are any. */
  readonly shared?: SharedLimits | undefined;
}

/** Limits the requests without valid credentials of each address. */
export class AnonymousRequests {
  readonly #options: AnonymousRequestsOptions;
  readonly #rate = new KeyedBuckets(ANONYMOUS_PER_SECOND, ANONYMOUS_BURST, MAX_ADDRESSES);

  constructor(options: AnonymousRequestsOptions) {
    this.#options = options;
  }

  /** Counts a request of this address. False: the address has made too many. */
  take(address: string): boolean {
    const { isProxy, now, telemetry, shared } = this.#options;
    if (isProxy(address)) return true;
    const key = addressKey(address);
    if (!this.#rate.take(key, now())) {
      telemetry.refused("anonymous_rate");
      return false;
    }
    shared?.take(SHARED.anonymousOf(key), 1);
    return true;
  }

  /** An address has made requests at another process. Keys of other kinds are ignored. */
  takenElsewhere(sharedKey: string, requests: number): void {
    const [kind, address = ""] = partsOfSharedKey(sharedKey);
    if (kind === "anonymous") this.#rate.debit(address, this.#options.now(), requests);
  }

  /** Responds to a request of this address: with 429 if it is one too many, else with what `make` returns. */
  respond<Made>(address: string, make: () => Made): Made | HttpResponse {
    return this.take(address) ? make() : TOO_MANY;
  }

  /**
   * Responds to a health check, which is never refused. A flood through an unknown proxy, or from behind the
   * same address, must not make this process look dead. Instead of a refusal, the connection ends.
   */
  respondToCheck(address: string, make: () => HttpResponse): HttpResponse {
    return this.take(address) ? make() : { ...make(), closeAfter: true };
  }
}
