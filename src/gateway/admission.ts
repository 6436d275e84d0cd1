import ipaddr from "ipaddr.js";
import { TokenBucket } from "../shared/token-bucket.ts";

export interface AdmissionLimits {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly connectsPerSecond: number;
}

export interface NotAdmitted {
  readonly ok: false;
  readonly refusal: "connections" | "connections_per_address" | "connect_rate";
  readonly retryAfterS: number;
}

/** A connection that was let in. */
export class Admitted {
  readonly ok = true;
  readonly #release: (key: string) => void;
  #key: string | undefined;

  constructor(key: string, release: (key: string) => void) {
    this.#key = key;
    this.#release = release;
  }

  /** Gives the place back. Once is enough, and twice does no harm. */
  release(): void {
    if (this.#key !== undefined) this.#release(this.#key);
    this.#key = undefined;
  }
}

/** Counts connections, in all and by address, and lets in so many a second. What is let in must be released, once. */
export class Admissions {
  readonly #limits: AdmissionLimits;
  readonly #rate: TokenBucket;
  readonly #byAddress = new Map<string, number>();
  #connections = 0;

  constructor(limits: AdmissionLimits, now: number) {
    this.#limits = limits;
    this.#rate = new TokenBucket(limits.connectsPerSecond, 2 * limits.connectsPerSecond, now);
  }

  get connections(): number {
    return this.#connections;
  }

  /** Addresses that hold a connection; zero when all were released. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  admit(address: string, now: number): Admitted | NotAdmitted {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    if (this.#connections >= maxConnections) return { ok: false, refusal: "connections", retryAfterS: 5 };
    const key = addressKey(address);
    const held = this.#byAddress.get(key) ?? 0;
    if (held >= maxConnectionsPerAddress) {
      return { ok: false, refusal: "connections_per_address", retryAfterS: 5 };
    }
    if (!this.#rate.take(now)) {
      return {
        ok: false,
        refusal: "connect_rate",
        retryAfterS: Math.max(1, Math.ceil(this.#rate.waitMs(now) / 1000)),
      };
    }
    this.#connections++;
    this.#byAddress.set(key, held + 1);
    return new Admitted(key, this.#release);
  }

  readonly #release = (key: string): void => {
    this.#connections--;
    const left = this.#byAddress.get(key)! - 1;
    if (left === 0) this.#byAddress.delete(key);
    else this.#byAddress.set(key, left);
  };
}

const PLAIN_IPV4 = /^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/;

/** Whether a text, if it is an address at all, is one as everybody writes it: to parse it would tell nothing more. */
export function isPlainIpv4(text: string): boolean {
  return PLAIN_IPV4.test(text);
}

/** One household, one key: an IPv4 address however it is written, or the first 64 bits of an IPv6 address. */
export function addressKey(address: string): string {
  if (isPlainIpv4(address) || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") return parsed.toString();
  return `${(parsed as ipaddr.IPv6).parts.slice(0, 4).join(":")}::/64`;
}
