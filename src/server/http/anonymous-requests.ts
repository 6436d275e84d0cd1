import { KeyedBuckets } from "../../core/collections/keyed-buckets.ts";
import { addressKey } from "../gateway/admission.ts";
import type { Telemetry } from "../gateway/telemetry.ts";
import { errorResponse, type HttpResponse } from "./exchange.ts";

/**
 * Requests without valid credentials that one address may make: far more than pages, checks and mistakes add
 * up to.
 */
export const ANONYMOUS_PER_SECOND = 200;
export const ANONYMOUS_BURST = 1_000;
/** A bound on the addresses that are remembered; beyond it the quietest starts anew. */
const MAX_ADDRESSES = 16_384;

const RETRY_AFTER = { "retry-after": "1" };
const TOO_MANY: HttpResponse = {
  ...errorResponse(429, { rate: ["too many requests without valid credentials"] }, RETRY_AFTER),
  closeAfter: true,
};

export interface AnonymousRequestsOptions {
  readonly telemetry: Telemetry;
  readonly now: () => number;
  /** Whether an address is a proxy of ours, which asks for many. */
  readonly isProxy: (address: string) => boolean;
}

/** Requests that show no valid credentials: what one address may ask for. */
export class AnonymousRequests {
  readonly #options: AnonymousRequestsOptions;
  readonly #rate = new KeyedBuckets(ANONYMOUS_PER_SECOND, ANONYMOUS_BURST, MAX_ADDRESSES);

  constructor(options: AnonymousRequestsOptions) {
    this.#options = options;
  }

  /** Counts a request of this address. False: it has made too many. */
  take(address: string): boolean {
    const { isProxy, now, telemetry } = this.#options;
    if (isProxy(address) || this.#rate.take(addressKey(address), now())) return true;
    telemetry.refused("anonymous_rate");
    return false;
  }

  /** Answers a request of this address; the response is made only if it is not one too many. */
  respond<Made>(address: string, make: () => Made): Made | HttpResponse {
    return this.take(address) ? make() : TOO_MANY;
  }

  /**
   * Answers a check of health, which is never refused: whoever floods through a proxy that we do not know, or
   * from behind the same address, must not have this process taken for dead. The connection ends instead.
   */
  respondToCheck(address: string, make: () => HttpResponse): HttpResponse {
    return this.take(address) ? make() : { ...make(), closeAfter: true };
  }
}
