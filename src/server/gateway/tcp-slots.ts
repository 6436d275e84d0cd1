import { KeyedBuckets } from "../../core/collections/keyed-buckets.ts";
import { addressKey } from "./admission.ts";

export interface TcpSlotsOptions {
  /** The most TCP connections, of every kind, that this process may have open. */
  readonly maxConnections: number;
  /** The most strangers from one address while slots are not short. */
  readonly maxPerAddress: number;
  /**
   * Strangers that may connect from one address in a second, with a burst of twice that. One that shows valid
   * credentials no longer counts. Undefined: any number.
   */
  readonly perSecondOfAddress?: number | undefined;
  /** Whether a peer is a trusted proxy: it connects for many clients, so no share applies to it. */
  readonly isProxy: (peer: string) => boolean;
  /** Whether the transport can tell connections apart: which one has ended, and how to end one. */
  readonly knowsConnections: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** A connection of a transport that can tell connections apart. */
export interface StrangerConnection {
  /** Whether it was answered, and has no request under way. */
  readonly isIdle: boolean;
  /** Ends it at once. */
  end(): void;
}

/**
 * Why a connection is refused: no slot is left, none is left for this address, or the address connects too
 * often.
 */
export type TcpRefusal = "full" | "share_used" | "too_often";
export type OpenOutcome = "taken" | TcpRefusal;

/** The share of the slots without WebSockets that one address may use while slots are short. */
const SHARE_WHEN_SHORT = 1 / 16;
/**
 * The least share of an address: as many connections as may arrive at once from behind a shared address when
 * its clients come back.
 */
const MIN_SHARE = 32;
/** From this many strangers on, it matters which of them have shown credentials. */
const CROWDED_AT = 8;
/** Slots are short if less than this share of them is free. */
const FEW_FREE = 1 / 8;
/**
 * Both transports close a connection that sends nothing, or does not finish its request, within this time.
 */
const SILENCE_MS = 12_000;
/** The most addresses that are remembered. */
const MAX_ADDRESSES = 65_536;

/**
 * Counts the TCP connections of the process. A stranger is a connection that has shown no valid credentials:
 * it is not a WebSocket, and carried no authorized request. Slots are short while connections other than
 * WebSockets use more than half of them, or while few are free. Strangers from one address may use at most
 * half of all slots, and only a few while slots are short, so one address cannot keep others out. Where the
 * transport can end a connection, an address that has used its share loses its idlest stranger to the new
 * one. So clients that share an address with an attacker still get in.
 */
export class TcpSlots {
  readonly maxConnections: number;
  readonly #maxPerAddress: number;
  readonly #isProxy: (peer: string) => boolean;
  readonly #now: () => number;
  readonly #strangers: Strangers;
  readonly #rate: KeyedBuckets | undefined;
  #connections = 0;
  #webSockets = 0;

  constructor(options: TcpSlotsOptions) {
    const { maxConnections, maxPerAddress, perSecondOfAddress, isProxy, knowsConnections, now } = options;
    this.maxConnections = maxConnections;
    this.#now = now;
    this.#maxPerAddress = Math.min(maxPerAddress, Math.floor(maxConnections / 2));
    this.#isProxy = isProxy;
    this.#strangers = knowsConnections ? new CountedStrangers() : new RecentStrangers(SILENCE_MS);
    if (perSecondOfAddress !== undefined) {
      this.#rate = new KeyedBuckets(perSecondOfAddress, 2 * perSecondOfAddress, MAX_ADDRESSES);
    }
  }

  get connections(): number {
    return this.#connections;
  }

  /** How many addresses of strangers are remembered. */
  get addresses(): number {
    return this.#strangers.addresses;
  }

  /**
   * Whether a stranger's connection from this peer ends with its answer: slots are short, or its address has
   * used half of its share. So a client that sends many requests leaves room for others, also behind the same
   * address.
   */
  endsWithAnswer(peer: string): boolean {
    if (this.#isProxy(peer)) return false;
    if (this.isShort) return true;
    return this.isCrowded && this.#strangers.count(addressKey(peer), this.#now()) > this.#maxPerAddress / 2;
  }

  /** Whether slots are short. */
  get isShort(): boolean {
    const { maxConnections } = this;
    const plain = this.#connections - this.#webSockets;
    return plain > maxConnections / 2 || maxConnections - this.#connections < maxConnections * FEW_FREE;
  }

  /**
   * Whether a connection of this peer may be ended for a request over it. A trusted proxy's may not, as it
   * serves other clients too.
   */
  mayEnd(peer: string): boolean {
    return !this.#isProxy(peer);
  }

  /** Counts a new connection. One that is refused must be closed, and its end reported like any other. */
  open(peer: string, connection?: StrangerConnection): OpenOutcome {
    this.#connections++;
    if (this.#connections > this.maxConnections) return "full";
    if (this.#isProxy(peer)) return "taken";
    const key = addressKey(peer);
    const now = this.#now();
    if (this.#rate?.take(key, now) === false) return "too_often";
    const rest = this.maxConnections - this.#webSockets;
    const share = this.isShort
      ? Math.min(this.#maxPerAddress, Math.max(MIN_SHARE, Math.floor(SHARE_WHEN_SHORT * rest)))
      : this.#maxPerAddress;
    if (this.#strangers.count(key, now) >= share && !this.#strangers.makeRoom(key)) return "share_used";
    this.#strangers.add(key, now, connection);
    return "taken";
  }

  /**
   * A connection of this address is no longer a stranger: it became a WebSocket, or has shown credentials.
   */
  known(peer: string, connection?: StrangerConnection): void {
    this.strangerLeft(peer, connection);
    this.#rate?.giveBack(addressKey(peer));
  }

  /** A connection of this address ended while it was a stranger. */
  strangerLeft(peer: string, connection?: StrangerConnection): void {
    if (!this.#isProxy(peer)) this.#strangers.remove(addressKey(peer), this.#now(), connection);
  }

  /** Whether there are so many strangers that it matters which of them have shown credentials. */
  get isCrowded(): boolean {
    return this.#strangers.total >= CROWDED_AT;
  }

  /** A connection has become a WebSocket. */
  upgraded(): void {
    this.#webSockets++;
  }

  /** A connection has ended. */
  close(isWebSocket: boolean): void {
    this.#connections--;
    if (isWebSocket) this.#webSockets--;
  }
}

/** How many strangers each address has. */
interface Strangers {
  readonly addresses: number;
  readonly total: number;
  count(key: string, now: number): number;
  add(key: string, now: number, connection: StrangerConnection | undefined): void;
  remove(key: string, now: number, connection: StrangerConnection | undefined): void;
  /** Ends one stranger of the address; false if that is not possible. */
  makeRoom(key: string): boolean;
}

/** Exact: every end is reported. */
class CountedStrangers implements Strangers {
  /** The strangers of each address, the oldest first. */
  readonly #byAddress = new Map<string, Set<StrangerConnection>>();
  total = 0;

  get addresses(): number {
    return this.#byAddress.size;
  }

  count(key: string): number {
    return this.#byAddress.get(key)?.size ?? 0;
  }

  add(key: string, _now: number, connection: StrangerConnection): void {
    this.total++;
    const strangers = this.#byAddress.get(key);
    if (strangers === undefined) this.#byAddress.set(key, new Set([connection]));
    else strangers.add(connection);
  }

  remove(key: string, _now: number, connection: StrangerConnection): void {
    const strangers = this.#byAddress.get(key);
    if (strangers?.delete(connection) !== true) return;
    this.total--;
    if (strangers.size === 0) this.#byAddress.delete(key);
  }

  makeRoom(key: string): boolean {
    const strangers = this.#byAddress.get(key);
    if (strangers === undefined) return false;
    let [chosen] = strangers;
    for (const each of strangers) {
      if (!each.isIdle) continue;
      chosen = each;
      break;
    }
    this.remove(key, 0, chosen!);
    chosen!.end();
    return true;
  }
}

/**
 * For a transport that does not report ends: strangers that arrived within the last one to two periods and
 * were not removed. A silent stranger has gone by then, and an answered one ends with its answer while slots
 * are short.
 */
class RecentStrangers implements Strangers {
  readonly #periodMs: number;
  #since: number | undefined;
  #recent = new Map<string, number>();
  #before = new Map<string, number>();
  #totalRecent = 0;
  #totalBefore = 0;

  constructor(periodMs: number) {
    this.#periodMs = periodMs;
  }

  get addresses(): number {
    return this.#recent.size + this.#before.size;
  }

  get total(): number {
    return this.#totalRecent + this.#totalBefore;
  }

  count(key: string, now: number): number {
    this.#rotate(now);
    return (this.#recent.get(key) ?? 0) + (this.#before.get(key) ?? 0);
  }

  add(key: string, now: number): void {
    this.#rotate(now);
    const count = this.#recent.get(key) ?? 0;
    if (count === 0 && this.#recent.size >= MAX_ADDRESSES) return;
    this.#recent.set(key, count + 1);
    this.#totalRecent++;
  }

  remove(key: string, now: number): void {
    this.#rotate(now);
    if (takeOne(this.#before, key)) this.#totalBefore--;
    else if (takeOne(this.#recent, key)) this.#totalRecent--;
  }

  makeRoom(): boolean {
    return false;
  }

  #rotate(now: number): void {
    this.#since ??= now;
    const passed = now - this.#since;
    if (passed < this.#periodMs) return;
    const isNext = passed < 2 * this.#periodMs;
    this.#before = isNext ? this.#recent : new Map();
    this.#totalBefore = isNext ? this.#totalRecent : 0;
    this.#recent = new Map();
    this.#totalRecent = 0;
    this.#since = now;
  }
}

/** Reduces a count by one; false if there is none. */
function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key);
  if (count === undefined) return false;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
  return true;
}
