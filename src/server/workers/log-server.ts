import type { CommandOf, JoinReply } from "../cluster/log.ts";
import type { Channel } from "./channel.ts";
import { type LogCall, type LogReply, type LogRequest, parseWorkerMessage } from "./log-messages.ts";
import { LogPeer } from "./log-peer.ts";
import { isCursor, MemoryLog, type MemoryLogSizes } from "./memory-log.ts";

export interface LogServerOptions {
  /** The number of logs, the same in all workers. */
  readonly shards: number;
  /** How many profiles each log keeps. */
  readonly maxProfiles: number;
  /** How many entries each log keeps at most: 10,000 by default. */
  readonly maxLogLength?: number | undefined;
  /** How many bytes the entries of a log take at most: 64 MiB by default. */
  readonly maxLogBytes?: number | undefined;
  /** How many bytes the rows and profiles beside a log take at most: 512 MiB by default. */
  readonly maxRowBytes?: number | undefined;
  /** See `LogPeer`: 50 by default. */
  readonly confirmMs?: number | undefined;
  /** Milliseconds since 1970. */
  readonly wallNow: () => number;
  /** A worker has sent what no worker sends. It changed nothing. */
  readonly badMessage: (nodeId: string, problem: string) => void;
  /** A worker asks for more than it takes, and is not served any more. It has to be ended. */
  readonly misbehaved: (nodeId: string, problem: string) => void;
}

export interface LogServerCounts {
  /** Messages of workers, and messages to them. */
  messages: number;
  sent: number;
  calls: number;
  badMessages: number;
}

type LogCommand = Exclude<LogRequest, { do: "follow" }>;

const DEFAULT_LOG_LENGTH = 10_000;
const DEFAULT_LOG_BYTES = 64 * 1024 * 1024;
const DEFAULT_ROW_BYTES = 512 * 1024 * 1024;
const DEFAULT_CONFIRM_MS = 50;
/**
 * Entries are sent at most once in this time; with more than 20 workers, in the second time for each of them.
 * What comes meanwhile goes together. A worker writes less often than that, so what a single one writes does
 * not wait.
 */
const PUSH_INTERVAL_MS = 5;
const PUSH_INTERVAL_MS_A_WORKER = 0.25;
/** After this time to twice of it without entries, a worker is told that there are none. */
const REMIND_MS = 500;
/** A timer may fire so much before its time. */
const TIMER_EARLY_MS = 1;
/**
 * How much text may wait for a worker, or be on its way to it, for each shard. A worker asks for a few
 * replies at a time, and each is much smaller.
 */
const MAX_WAITING_CHARS = 16 * 1024 * 1024;

/**
 * Keeps the logs of a gateway with workers in the memory of its first process, and serves them to the
 * workers. What a worker sends is checked. It joins with its own node id only, and writes under its own names
 * only. When its channel closes, it is evicted at once: the other workers do not wait for its lease to end.
 */
export class LogServer {
  readonly counts: LogServerCounts = { messages: 0, sent: 0, calls: 0, badMessages: 0 };
  readonly #options: LogServerOptions;
  readonly #logs: readonly MemoryLog[];
  /** By node id. */
  readonly #peers = new Map<string, LogPeer>();
  readonly #ticker: NodeJS.Timeout;
  #immediate: NodeJS.Immediate | undefined;
  /** When entries were sent last that somebody waits for. */
  #pushedAt = Number.NEGATIVE_INFINITY;
  /** Runs only while something waits. */
  #timer: NodeJS.Timeout | undefined;
  #timerDueAt = Number.POSITIVE_INFINITY;

  constructor(options: LogServerOptions) {
    this.#options = options;
    const { shards, maxProfiles } = options;
    const limits = {
      maxLength: options.maxLogLength ?? DEFAULT_LOG_LENGTH,
      maxLogBytes: options.maxLogBytes ?? DEFAULT_LOG_BYTES,
      maxRowBytes: options.maxRowBytes ?? DEFAULT_ROW_BYTES,
      maxProfiles,
    };
    this.#logs = Array.from({ length: shards }, () => new MemoryLog(limits));
    this.#ticker = setInterval(() => this.#remind(), REMIND_MS).unref();
  }

  /** The sizes of each log. */
  get sizes(): readonly MemoryLogSizes[] {
    return this.#logs.map(({ sizes }) => sizes);
  }

  /** Serves a worker until its channel closes. `nodeId`: the only one that it may join with. */
  serve(channel: Channel, nodeId: string): void {
    // The process of before has ended, though its channel has not said so yet.
    const before = this.#peers.get(nodeId);
    if (before !== undefined) this.#drop(before);
    const { confirmMs = DEFAULT_CONFIRM_MS } = this.#options;
    const peer = new LogPeer(channel, nodeId, this.#logs.length, confirmMs);
    this.#peers.set(nodeId, peer);
    channel.onMessage((message) => this.#take(peer, message));
    channel.onClose(() => this.#drop(peer));
  }

  /** Serves nobody any more. */
  close(): void {
    clearInterval(this.#ticker);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    clearTimeout(this.#timer);
    this.#peers.clear();
  }

  #isServed(peer: LogPeer): boolean {
    return this.#peers.get(peer.nodeId) === peer;
  }

  #take(peer: LogPeer, message: unknown): void {
    if (!this.#isServed(peer)) return;
    this.counts.messages++;
    const parsed = parseWorkerMessage(message);
    if (typeof parsed === "string") return this.#bad(peer, undefined, parsed);
    peer.acknowledge(parsed.acknowledged);
    for (const call of parsed.calls) {
      const problem = "problem" in call ? call.problem : this.#do(peer, call);
      if (problem !== undefined) this.#bad(peer, call.id, problem);
      // Before anything is sent, as that would take as much memory again. Its other calls are not done.
      if (peer.waitingChars > MAX_WAITING_CHARS * this.#logs.length) return this.#end(peer);
    }
    this.#sendSoon();
  }

  #bad(peer: LogPeer, id: number | undefined, problem: string): void {
    this.counts.badMessages++;
    if (id !== undefined) peer.refuse(id, problem);
    this.#options.badMessage(peer.nodeId, problem);
  }

  /** Does what a worker asks for. If it may not ask for that, nothing is done, and the reason is returned. */
  #do(peer: LogPeer, { id, shard, request }: LogCall): string | undefined {
    this.counts.calls++;
    const log = this.#logs[shard];
    if (log === undefined) return "a call about a shard that there is not";
    if (request.do === "follow") {
      peer.follow(id, shard, request.after);
      return undefined;
    }
    const problem = problemOf(request, peer, shard, log);
    if (problem !== undefined) return problem;
    const reply = this.#perform(request, peer, shard, log);
    const isAppend = request.do === "append";
    peer.answer(id, reply, !isAppend);
    if (changesLog(request)) this.#changed(isAppend ? peer : undefined);
    return undefined;
  }

  #perform(command: LogCommand, peer: LogPeer, shard: number, log: MemoryLog): LogReply {
    switch (command.do) {
      case "readStatus":
        return log.readStatus(command);
      case "scan":
        return log.scan(command);
      case "join":
        return join(command, peer, shard, log);
      case "append":
        return log.append(command, this.#options.wallNow());
      case "evict":
        return log.evict(command);
      case "forget":
        log.forget(command);
        return null;
    }
  }

  #end(peer: LogPeer): void {
    this.#drop(peer);
    this.#options.misbehaved(peer.nodeId, "it asks for more than it takes");
  }

  #drop(peer: LogPeer): void {
    if (!this.#isServed(peer)) return;
    this.#peers.delete(peer.nodeId);
    for (const [shard, log] of this.#logs.entries()) {
      for (const writer of peer.names(shard)) log.drop(writer);
    }
    this.#changed(undefined);
    this.#sendSoon();
  }

  /** After everything that came in during this turn of the event loop. */
  #sendSoon(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      this.#sendDue(performance.now());
    });
  }

  /** Sends what is due, and has the timer run for what waits. */
  #sendDue(now: number): void {
    const ms = Math.max(PUSH_INTERVAL_MS, PUSH_INTERVAL_MS_A_WORKER * this.#peers.size);
    const newsAt = this.#pushedAt + ms;
    let nextAt = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers.values()) {
      const dueAt = peer.dueAt(newsAt);
      if (dueAt > now + TIMER_EARLY_MS) {
        nextAt = Math.min(nextAt, dueAt);
        continue;
      }
      peer.push(this.#logs);
      if (!peer.send(now)) continue;
      this.counts.sent++;
      if (dueAt === newsAt) this.#pushedAt = now;
    }
    if (nextAt < this.#timerDueAt) this.#wakeAt(nextAt, now);
  }

  #wakeAt(dueAt: number, now: number): void {
    clearTimeout(this.#timer);
    this.#timerDueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timerDueAt = Number.POSITIVE_INFINITY;
      this.#sendDue(performance.now());
    }, dueAt - now);
  }

  /** The logs have more entries. `by`: the worker that has written them, and is answered anyway. */
  #changed(by: LogPeer | undefined): void {
    for (const peer of this.#peers.values()) if (peer !== by) peer.tellNews();
  }

  #remind(): void {
    for (const peer of this.#peers.values()) peer.remind();
    this.#sendSoon();
  }
}

function changesLog({ do: kind }: LogCommand): boolean {
  return kind === "append" || kind === "join" || kind === "evict";
}

function problemOf(command: LogCommand, peer: LogPeer, shard: number, log: MemoryLog): string | undefined {
  switch (command.do) {
    case "scan":
      return isCursor(command.from) ? undefined : "a scan from no cursor";
    case "join":
      if (command.nodeId !== peer.nodeId) return "it joins with the node id of another";
      if (!log.isAlive(command.writer) || peer.isNamed(shard, command.writer)) return undefined;
      return "it joins under the name of another";
    case "append":
      return peer.isNamed(shard, command.writer) ? undefined : "it writes under a name that is not its own";
    default:
      return undefined;
  }
}

/** Evicts none but earlier names of this worker. */
function join(command: CommandOf<"join">, peer: LogPeer, shard: number, log: MemoryLog): JoinReply {
  const formerly = command.formerly.filter((name) => peer.isNamed(shard, name));
  const reply = log.join({ ...command, formerly });
  if (reply.ok) peer.addName(shard, command.writer);
  return reply;
}
