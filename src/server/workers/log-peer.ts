import type { Entry, ScanBatch } from "../cluster/log.ts";
import type { Channel } from "./channel.ts";
import type { LogReply } from "./log-messages.ts";
import { charsIn, type MemoryLog } from "./memory-log.ts";

/** What an answer or a row counts beside its text. */
const ANSWER_CHARS = 128;
/** How many of its names a worker is remembered by, for each shard. It writes under the last one. */
const MAX_NAMES = 64;
/**
 * With this much text on its way, no more entries are sent. With a quarter of it, the worker is asked to
 * acknowledge.
 */
const MAX_PUSHED_CHARS = 4 * 1024 * 1024;

/** A worker that is sent the entries of a shard. */
interface Follower {
  readonly id: number;
  /** The last entry that was sent. */
  after: string;
  /** Whether something was sent since the last `remind`. */
  hasHeard: boolean;
}

interface SentMessage {
  readonly number: number;
  readonly chars: number;
}

/** A worker as the first process serves it: its names in the logs, and what is to be sent to it. */
export class LogPeer {
  readonly nodeId: string;
  readonly #channel: Channel;
  readonly #confirmMs: number;
  /** By shard, the names that it has joined under, the latest last. */
  readonly #names: readonly Set<string>[];
  /** By shard. */
  readonly #followers = new Map<number, Follower>();
  #answers: unknown[] = [];
  #chars = 0;
  /** Whether somebody waits for one of the answers, so that it may not wait for the next entries. */
  #isUrgent = false;
  /** Whether there may be entries that shall be sent soon. */
  #hasNews = false;
  /** When it was sent something last. */
  #sentAt = Number.NEGATIVE_INFINITY;
  #messages = 0;
  #unacknowledged: SentMessage[] = [];
  #unacknowledgedChars = 0;

  /**
   * `confirmMs`: a message that only confirms what the worker has written itself comes no sooner than this
   * after the one before. The worker does not wait for it, so several confirmations come together, or with
   * what others have written.
   */
  constructor(channel: Channel, nodeId: string, shards: number, confirmMs: number) {
    this.#channel = channel;
    this.#confirmMs = confirmMs;
    this.nodeId = nodeId;
    this.#names = Array.from({ length: shards }, () => new Set<string>());
  }

  /** How much text is to be sent to the worker, or is on its way as far as the worker has told. */
  get waitingChars(): number {
    return this.#unacknowledgedChars + this.#chars;
  }

  /** There are entries that somebody else has written. */
  tellNews(): void {
    this.#hasNews = true;
  }

  /**
   * When it has to be sent something; infinity: not before something happens. `newsAt`: when it may be sent
   * what others have written.
   */
  dueAt(newsAt: number): number {
    if (this.#isUrgent) return Number.NEGATIVE_INFINITY;
    if (this.#hasNews && this.waitingChars < MAX_PUSHED_CHARS) return newsAt;
    return this.#answers.length > 0 ? this.#sentAt + this.#confirmMs : Number.POSITIVE_INFINITY;
  }

  isNamed(shard: number, writer: string): boolean {
    return this.#names[shard]!.has(writer);
  }

  *names(shard: number): Generator<string> {
    yield* this.#names[shard]!;
  }

  addName(shard: number, writer: string): void {
    const names = this.#names[shard]!;
    names.delete(writer);
    names.add(writer);
    const [oldest] = names;
    if (names.size > MAX_NAMES) names.delete(oldest!);
  }

  /** Sends the entries of a shard after one, from now on. */
  follow(id: number, shard: number, after: string): void {
    this.#followers.set(shard, { id, after, hasHeard: true });
    this.#isUrgent = true;
  }

  /** Adds the entries that have come since, as long as the worker takes them. */
  push(logs: readonly MemoryLog[]): void {
    for (const [shard, follower] of this.#followers) {
      const log = logs[shard]!;
      while (log.hasAfter(follower.after)) {
        if (this.waitingChars >= MAX_PUSHED_CHARS) {
          // The rest follows once it takes more, of which it tells.
          this.#hasNews = true;
          return;
        }
        const entries = log.read(follower.after);
        follower.after = entries.at(-1)!.id;
        follower.hasHeard = true;
        this.#add(follower.id, entries);
      }
    }
    this.#hasNews = false;
  }

  /** Answers with no entries where none have come for a while, so that the worker knows that it is served. */
  remind(): void {
    for (const follower of this.#followers.values()) {
      if (!follower.hasHeard) this.answer(follower.id, []);
      follower.hasHeard = false;
    }
  }

  /** Answers with the next message. `isUrgent`: it need not go with the next entries. */
  answer(id: number, reply: LogReply, isUrgent = true): void {
    this.#add(id, reply);
    if (isUrgent) this.#isUrgent = true;
  }

  /** Answers that a call is not allowed. */
  refuse(id: number, problem: string): void {
    this.#answers.push([id, null, problem]);
    this.#chars += ANSWER_CHARS;
    this.#isUrgent = true;
  }

  /** Sends all answers, as one message. Returns whether there were any. */
  send(now: number): boolean {
    this.#isUrgent = false;
    if (this.#answers.length === 0) return false;
    this.#sentAt = now;
    const number = ++this.#messages;
    this.#unacknowledged.push({ number, chars: this.#chars });
    this.#unacknowledgedChars += this.#chars;
    const asks = this.#unacknowledgedChars > MAX_PUSHED_CHARS / 4 ? 1 : 0;
    this.#channel.send([number, asks, ...this.#answers]);
    this.#answers = [];
    this.#chars = 0;
    return true;
  }

  /** The worker has taken in all messages up to this one. */
  acknowledge(number: number): void {
    const taken = this.#unacknowledged.findIndex((sent) => sent.number > number);
    const messages = this.#unacknowledged.splice(0, taken < 0 ? this.#unacknowledged.length : taken);
    for (const { chars } of messages) this.#unacknowledgedChars -= chars;
  }

  #add(id: number, reply: LogReply): void {
    this.#answers.push([id, reply]);
    this.#chars += ANSWER_CHARS + charsOf(reply);
  }
}

function charsOf(reply: LogReply): number {
  if (reply === null || typeof reply !== "object") return 0;
  let chars = 0;
  if (Array.isArray(reply)) {
    for (const entry of reply as readonly Entry[]) chars += ANSWER_CHARS + charsIn(entry);
  } else if ("rows" in reply) {
    const { rows } = reply as ScanBatch;
    for (const { sessionId, text } of rows) chars += ANSWER_CHARS + sessionId.length + text.length;
  } else if ("register" in reply) {
    chars = ANSWER_CHARS * (reply as { register: readonly unknown[] }).register.length;
  }
  return chars;
}
