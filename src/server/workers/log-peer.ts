import type { Entry, ScanBatch } from "../cluster/log.ts";
import type { Channel } from "./channel.ts";
import type { LogReply } from "./log-messages.ts";
import { charsIn } from "./memory-log.ts";

/** What an answer or a row counts beside its text. */
const ANSWER_CHARS = 128;
/** How many of its names a worker is remembered by, for each shard. It writes under the last one. */
const MAX_NAMES = 64;

/** A read that waits for entries after one. */
export interface WaitingRead {
  readonly id: number;
  readonly after: string;
  /** How often the log has looked for readers that wait for long. */
  looks: number;
}

interface SentMessage {
  readonly number: number;
  readonly chars: number;
}

/** A worker as the first process serves it: its names in the logs, and what is to be sent to it. */
export class LogPeer {
  readonly nodeId: string;
  /** By shard. */
  readonly reads = new Map<number, WaitingRead>();
  readonly #channel: Channel;
  /** By shard, the names that it has joined under, the latest last. */
  readonly #names: readonly Set<string>[];
  #answers: unknown[] = [];
  #chars = 0;
  #messages = 0;
  #unacknowledged: SentMessage[] = [];
  #unacknowledgedChars = 0;

  constructor(channel: Channel, nodeId: string, shards: number) {
    this.#channel = channel;
    this.nodeId = nodeId;
    this.#names = Array.from({ length: shards }, () => new Set<string>());
  }

  /** How much text is on its way to the worker, as far as the worker has told. */
  get unacknowledgedChars(): number {
    return this.#unacknowledgedChars;
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

  /** Waits with a read. There is one for each shard: one that waits already is answered with nothing. */
  wait(id: number, shard: number, after: string): void {
    const before = this.reads.get(shard);
    if (before !== undefined) this.answer(before.id, []);
    this.reads.set(shard, { id, after, looks: 0 });
  }

  /** Answers with the next message. */
  answer(id: number, reply: LogReply): void {
    this.#answers.push([id, reply]);
    this.#chars += ANSWER_CHARS + charsOf(reply);
  }

  /** Answers that a call is not allowed. */
  refuse(id: number, problem: string): void {
    this.#answers.push([id, null, problem]);
    this.#chars += ANSWER_CHARS;
  }

  /** Sends all answers, as one message. */
  send(): void {
    if (this.#answers.length === 0) return;
    const number = ++this.#messages;
    this.#unacknowledged.push({ number, chars: this.#chars });
    this.#unacknowledgedChars += this.#chars;
    this.#channel.send([number, ...this.#answers]);
    this.#answers = [];
    this.#chars = 0;
  }

  /** The worker has taken all messages up to this one. */
  acknowledge(number: number): void {
    const taken = this.#unacknowledged.findIndex((sent) => sent.number > number);
    const messages = this.#unacknowledged.splice(0, taken < 0 ? this.#unacknowledged.length : taken);
    for (const { chars } of messages) this.#unacknowledgedChars -= chars;
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
