import ipaddr from "ipaddr.js";
import { KeyedBuckets } from "../../core/collections/keyed-buckets.ts";
import { TokenBucket } from "../../core/collections/token-bucket.ts";
import type { CheckBudget } from "../auth/token.ts";
import { SHARED, type SharedLimits } from "./shared-limits.ts";

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

/** An admitted connection. */
export class Admitted {
  readonly ok = true;
  readonly #admissions: Admissions;
  #key: string | undefined;

  constructor(key: string, admissions: Admissions) {
    this.#key = key;
    this.#admissions = admissions;
  }

  /** Whether one more message of `bytes` bytes may be read before the connection has shown a valid token. */
  admitMessage(bytes: number, now: number): boolean {
    return this.#key === undefined || this.#admissions.admitMessage(this.#key, bytes, now);
  }

  /** Limits the signatures that are checked for the address of the connection. */
  checkBudget(now: number): CheckBudget {
    const key = this.#key ?? "";
    return {
      takeChecks: (count) => this.#admissions.takeChecks(key, count, now),
      returnChecks: (count) => this.#admissions.returnChecks(key, count),
    };
  }

  /** Gives the place back. Calling it twice has no effect. */
  release(): void {
    if (this.#key !== undefined) this.#admissions.release(this.#key);
    this.#key = undefined;
  }
}

/** The rate up to which an address counts as infrequent, as a share of the rate of all addresses together. */
const SELDOM_SHARE = 0.01;
/**
 * The most addresses that are remembered. Beyond it, the one that was quiet for longest counts as infrequent.
 */
const MAX_ADDRESSES = 100_000;

/**
 * Limits the rate of new connections: `perSecond`, with a burst of twice that. The last quarter of the burst,
 * and its refill, is reserved for addresses that connected infrequently in the last seconds. So one address
 * alone may use the whole rate, and still leaves room for others.
 */
export class ConnectRate {
  readonly #all: TokenBucket;
  readonly #seldom: KeyedBuckets;
  readonly #reserve: number;

  constructor(perSecond: number, now: number) {
    const burst = 2 * perSecond;
    this.#reserve = Math.floor(burst / 4);
    this.#all = new TokenBucket(perSecond, burst, now);
    const seldom = Math.max(1, SELDOM_SHARE * perSecond);
    this.#seldom = new KeyedBuckets(seldom, 2 * seldom, MAX_ADDRESSES);
  }

  /** How many addresses are remembered. */
  get addresses(): number {
    return this.#seldom.size;
  }

  /** Admits a connection of an address, or returns false and counts nothing. */
  take(key: string, now: number): boolean {
    const isOpen = this.#all.has(this.#reserve + 1, now);
    // Refusals do not count: an address that was refused must not be refused for having tried.
    if (!isOpen && (!this.#all.has(1, now) || !this.#seldom.take(key, now))) return false;
    if (isOpen) this.#seldom.take(key, now);
    return this.#all.take(now);
  }

  /** An address has made connections at another process. */
  debit(key: string, connects: number, now: number): void {
    this.#all.debit(connects, now);
    this.#seldom.debit(key, now, connects);
  }

  /** Milliseconds until the address may be admitted, if no other address connects meanwhile. */
  waitMs(key: string, now: number): number {
    const forAll = this.#all.waitMs(now, this.#reserve + 1);
    return Math.min(forAll, Math.max(this.#all.waitMs(now), this.#seldom.waitMs(key, now)));
  }
}

/**
 * Bytes a second that the WebSockets of one address may send before `connect`, besides the first message of
 * each. Parsing a kilobyte of JSON takes up to a tenth of a millisecond, and a well-behaved client sends none
 * of these bytes.
 */
const BYTES_BEFORE_CONNECT_PER_SECOND = 65_536;
const BURST_BEFORE_CONNECT_BYTES = 262_144;
/** The least bytes that a message counts for. */
const MIN_BYTES_BEFORE_CONNECT = 128;
const MAX_ADDRESSES_BEFORE_CONNECT = 16_384;

/**
 * Signatures of public keys that an address may have checked without a valid token. A check takes several
 * times as long as the other work for a new socket: a few tenths of a millisecond.
 */
export const CHECKS_PER_SECOND = 50;
export const BURST_CHECKS = 200;

/**
 * Counts connections, in total and by address, and limits both and the rate of new ones. Each admitted
 * connection must be released once.
 */
export class Admissions {
  readonly #limits: AdmissionLimits;
  readonly #rate: ConnectRate;
  readonly #shared: SharedLimits | undefined;
  readonly #byAddress = new Map<string, number>();
  readonly #bytesBeforeConnect = new KeyedBuckets(
    BYTES_BEFORE_CONNECT_PER_SECOND,
    BURST_BEFORE_CONNECT_BYTES,
    MAX_ADDRESSES_BEFORE_CONNECT,
  );
  readonly #checks = new KeyedBuckets(CHECKS_PER_SECOND, BURST_CHECKS, MAX_ADDRESSES_BEFORE_CONNECT);
  #connections = 0;

  /** `shared`: what other processes count, if there are any. */
  constructor(limits: AdmissionLimits, now: number, shared?: SharedLimits) {
    this.#limits = limits;
    this.#shared = shared;
    this.#rate = new ConnectRate(limits.connectsPerSecond, now);
  }

  get connections(): number {
    return this.#connections;
  }

  /** How many addresses hold a connection; zero when all connections were released. */
  get addresses(): number {
    return this.#byAddress.size;
  }

  admit(address: string, now: number): Admitted | NotAdmitted {
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const elsewhere = this.#shared?.heldByOthers(SHARED.connections) ?? 0;
    if (this.#connections + elsewhere >= maxConnections) {
      return { ok: false, refusal: "connections", retryAfterS: 5 };
    }
    const key = addressKey(address);
    const held = this.#byAddress.get(key) ?? 0;
    const heldElsewhere = this.#shared?.heldByOthers(SHARED.connectionsOf(key)) ?? 0;
    if (held + heldElsewhere >= maxConnectionsPerAddress) {
      return { ok: false, refusal: "connections_per_address", retryAfterS: 5 };
    }
    if (!this.#rate.take(key, now)) {
      const retryAfterS = Math.max(1, Math.ceil(this.#rate.waitMs(key, now) / 1000));
      return { ok: false, refusal: "connect_rate", retryAfterS };
    }
    this.#connections++;
    this.#byAddress.set(key, held + 1);
    this.#shared?.hold(SHARED.connections, 1);
    this.#shared?.hold(SHARED.connectionsOf(key), 1);
    this.#shared?.take(SHARED.connectsOf(key), 1);
    return new Admitted(key, this);
  }

  /** An address has made connections at another process. */
  connectedElsewhere(key: string, connects: number, now: number): void {
    this.#rate.debit(key, connects, now);
  }

  /** Charges a message to the bytes that an address may send before `connect`; false if these are used up. */
  admitMessage(key: string, bytes: number, now: number): boolean {
    return this.#bytesBeforeConnect.take(key, now, Math.max(bytes, MIN_BYTES_BEFORE_CONNECT));
  }

  /** Charges checks of signatures to an address; false if it has had too many that failed. */
  takeChecks(key: string, count: number, now: number): boolean {
    return this.#checks.take(key, now, Math.min(count, BURST_CHECKS));
  }

  returnChecks(key: string, count: number): void {
    this.#checks.giveBack(key, Math.min(count, BURST_CHECKS));
  }

  /** Called by an admitted connection, once. */
  release(key: string): void {
    this.#connections--;
    this.#shared?.hold(SHARED.connections, -1);
    this.#shared?.hold(SHARED.connectionsOf(key), -1);
    const left = this.#byAddress.get(key)! - 1;
    if (left === 0) this.#byAddress.delete(key);
    else this.#byAddress.set(key, left);
  }
}

const PLAIN_IPV4 = /^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/;

/**
 * Whether a text has the usual form of an IPv4 address. If it is an address, parsing would change nothing.
 */
export function isPlainIpv4(text: string): boolean {
  return PLAIN_IPV4.test(text);
}

/**
 * The key of an address: one for each household. An IPv4 address in its usual form, or the first 64 bits of
 * an IPv6 address.
 */
export function addressKey(address: string): string {
  if (isPlainIpv4(address) || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") return parsed.toString();
  return `${(parsed as ipaddr.IPv6).parts.slice(0, 4).join(":")}::/64`;
}
