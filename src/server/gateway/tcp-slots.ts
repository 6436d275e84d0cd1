import { KeyedBuckets } from "../../core/collections/keyed-buckets.ts";
import { addressKey } from "./admission.ts";

export interface TcpSlotsOptions {
  /** TCP connections of every kind that this process may have open. */
  readonly maxConnections: number;
  /** Strangers of one address, while there is room for everybody. */
  readonly maxPerAddress: number;
  /**
   * Strangers that may come from one address in a second, burst twice that. One that does not remain a
   * stranger counts no longer. Undefined: any number.
   */
  readonly perSecondOfAddress?: number | undefined;
  /** Whether a peer is a proxy of ours: it connects for many, so no share holds for it. */
  readonly isProxy: (peer: string) => boolean;
  /** Whether the transport knows one connection from another: which has ended, and how to end one. */
  readonly knowsConnections: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** A connection of a transport that knows one from another. */
export interface StrangerConnection {
  /** Whether it has had an answer and asks for nothing now. */
  readonly isIdle: boolean;
  /** Ends it at once. */
  end(): void;
}

/** Why a connection is not taken: none is left, none is left for this address, or too many come from it. */
export type TcpRefusal = "full" | "share_used" | "too_often";
export type OpenOutcome = "taken" | TcpRefusal;

/** An address may be this share of what is not WebSockets while slots are short. */
const SHARE_WHEN_SHORT = 1 / 16;
/** As many as may come at once from behind one address that many share, when they come back. */
const MIN_SHARE = 32;
/** So few strangers need not be told apart. */
const CROWDED_AT = 8;
/** Slots are short when less than this share of them is free. */
const FEW_FREE = 1 / 8;
/**
 * A connection that says nothing, or does not finish its request, is closed within this time by both
 * transports.
 */
const SILENCE_MS = 12_000;
/** A bound on the addresses that are remembered for a time. */
const MAX_ADDRESSES = 65_536;

/**
 * The TCP connections of the process. A stranger is one that has shown no valid credentials: it is no
 * WebSocket, and no authorized request came over it. Slots are short while what is no WebSocket uses more
 * than half of them, or few are free. Strangers of one address may never be more than half of all slots, and
 * only a few when slots are short: so one address cannot keep others out. Where the transport can end a
 * connection, one that has used its share loses its idlest stranger to the newcomer: so those who share an
 * address with somebody who fills it get in, too.
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

  /** Addresses of strangers that are remembered. */
  get addresses(): number {
    return this.#strangers.addresses;
  }

  /**
   * Whether the connection of this peer, a stranger's, is to end with its answer: slots are short, or its
   * address has used half of its share. So whoever asks again and again leaves room, for others behind the
   * same address, too.
   */
  endsWithAnswer(peer: string): boolean {
    if (this.#isProxy(peer)) return false;
    if (this.isShort) return true;
    return this.isCrowded && this.#strangers.count(addressKey(peer), this.#now()) > this.#maxPerAddress / 2;
  }

  /** Whether others need room. */
  get isShort(): boolean {
    const { maxConnections } = this;
    const plain = this.#connections - this.#webSockets;
    return plain > maxConnections / 2 || maxConnections - this.#connections < maxConnections * FEW_FREE;
  }

  /**
   * Whether a connection of this peer may be ended for what was asked over it: a proxy's serves others, too.
   */
  mayEnd(peer: string): boolean {
    return !this.#isProxy(peer);
  }

  /**
   * Counts a connection that has come. One that is not taken is to be closed, which is to be told as every
   * end is.
   */
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

  /** A connection of this address is a stranger's no longer: it is a WebSocket, or has shown credentials. */
  known(peer: string, connection?: StrangerConnection): void {
    this.strangerLeft(peer, connection);
    this.#rate?.giveBack(addressKey(peer));
  }

  /** A connection of this address has ended as a stranger's. */
  strangerLeft(peer: string, connection?: StrangerConnection): void {
    if (!this.#isProxy(peer)) this.#strangers.remove(addressKey(peer), this.#now(), connection);
  }

  /** Whether there are so many strangers that it matters whose connection is no longer one. */
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
  /** Ends one of the address, if that can be done. */
  makeRoom(key: string): boolean;
}

/** Exact: every end is told. */
class CountedStrangers implements Strangers {
  /** Of each address, the oldest first. */
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
 * Where ends are not told: who came within one to two periods and has not been removed. A stranger that says
 * nothing is gone by then, and one that was answered ends with its answer when slots are short.
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

/** Takes one off a count; false if there is none. */
function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key);
  if (count === undefined) return false;
  if (count > 1) counts.set(key, count - 1);
  else counts.delete(key);
  return true;
}
