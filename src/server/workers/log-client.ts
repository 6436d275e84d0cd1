import type {
  AppendReply,
  CommandOf,
  Entry,
  JoinReply,
  Log,
  LogSource,
  LogStatus,
  ScanBatch,
} from "../cluster/log.ts";
import type { Channel } from "./channel.ts";
import { encodeCall, type LogRequest } from "./log-messages.ts";

/** A call without an answer after this time counts as lost. */
const DEADLINE_MS = 2_000;
/** The first process tells at least once a second that there are no entries. */
const FOLLOW_DEADLINE_MS = 4_000;
const CHECK_MS = 500;

interface PendingCall {
  readonly log: ChannelLog;
  dueAt: number;
  readonly resolve: (reply: never) => void;
  readonly reject: (reason: Error) => void;
  /** For a call that is answered again and again. */
  readonly isFollow: boolean;
}

/** An answer: the id of the call, then its reply, or null and what is wrong with the call. */
type Answer = readonly [id: number, reply: never, problem?: string];

/** The logs in the first process, for a worker of it. */
export class LogClient implements LogSource {
  readonly name = "the log in the first process";
  /** A message costs both processes as much as dozens of changes, so a shorter interval would not pay. */
  readonly intervalMs = 10;
  readonly #channel: Channel;
  readonly #pending = new Map<number, PendingCall>();
  /** Logs with entries that were not read yet. */
  readonly #backlogged = new Set<ChannelLog>();
  #calls: unknown[] = [];
  #ids = 0;
  /** The number of the last message that has come. */
  #received = 0;
  /** Whether the first process waits to be told what was taken in. */
  #isAsked = false;
  #isClosed = false;
  #immediate: NodeJS.Immediate | undefined;
  #ticker: NodeJS.Timeout | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
    channel.onMessage((message) => this.#take(message));
    channel.onClose(() => {
      this.#isClosed = true;
      for (const { log } of this.#pending.values()) this.#end(log, endedError());
    });
  }

  async open(shard: number): Promise<Log> {
    const log = new ChannelLog({
      ask: (request) => this.#ask(log, shard, request),
      follow: (after, pushed) => this.#follow(log, shard, after, pushed),
      drained: () => this.#drained(log),
      end: (reason) => this.#end(log, reason),
    });
    // A first process that does not answer is given nothing else to do.
    await log.readStatus({ do: "readStatus", at: undefined });
    return log;
  }

  #ask(log: ChannelLog, shard: number, request: LogRequest): Promise<never> {
    return new Promise((resolve, reject) => {
      this.#call(shard, request, { log, resolve, reject, isFollow: false });
    });
  }

  #follow(log: ChannelLog, shard: number, after: string, pushed: (entries: readonly Entry[]) => void): void {
    for (const [id, call] of this.#pending) {
      if (call.log === log && call.isFollow) this.#pending.delete(id);
    }
    this.#call(shard, { do: "follow", after }, { log, resolve: pushed, reject: () => {}, isFollow: true });
  }

  #call(shard: number, request: LogRequest, call: Omit<PendingCall, "dueAt">): void {
    const id = ++this.#ids;
    const dueAt = performance.now() + (call.isFollow ? FOLLOW_DEADLINE_MS : DEADLINE_MS);
    this.#pending.set(id, { ...call, dueAt });
    if (this.#isClosed) return this.#end(call.log, endedError());
    this.#ticker ??= setInterval(() => this.#check(), CHECK_MS).unref();
    this.#calls.push(encodeCall({ id, shard, request }));
    this.#sendSoon();
  }

  /** Everything that was asked in this turn of the event loop goes as one message. */
  #sendSoon(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined;
      let acknowledged = this.#received;
      for (const { backlogFrom } of this.#backlogged) acknowledged = Math.min(acknowledged, backlogFrom - 1);
      this.#channel.send([acknowledged, ...this.#calls]);
      this.#calls = [];
    });
  }

  #take(message: unknown): void {
    const [number, asks, ...answers] = message as readonly [number, 0 | 1, ...Answer[]];
    this.#received = number;
    if (asks === 1) this.#isAsked = true;
    for (const [id, reply, problem] of answers) {
      const call = this.#pending.get(id);
      // Its log has ended meanwhile, or reads on from another entry.
      if (call === undefined) continue;
      if (problem !== undefined) {
        this.#end(call.log, new Error(`the first process refuses a call: ${problem}`));
      } else if (call.isFollow) {
        call.dueAt = performance.now() + FOLLOW_DEADLINE_MS;
        call.resolve(reply);
        if (call.log.hasBacklog && !this.#backlogged.has(call.log)) {
          call.log.backlogFrom = number;
          this.#backlogged.add(call.log);
        }
      } else {
        this.#pending.delete(id);
        call.resolve(reply);
      }
    }
    this.#acknowledge();
  }

  #drained(log: ChannelLog): void {
    this.#backlogged.delete(log);
    this.#acknowledge();
  }

  #acknowledge(): void {
    if (!this.#isAsked || this.#backlogged.size > 0) return;
    this.#isAsked = false;
    this.#sendSoon();
  }

  #end(log: ChannelLog, reason: Error): void {
    log.markEnded(reason);
    this.#drained(log);
    for (const [id, call] of this.#pending) {
      if (call.log !== log) continue;
      this.#pending.delete(id);
      call.reject(reason);
    }
  }

  #check(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    } else if (this.#firstOverdue() !== undefined) {
      // After a pause of this process, timers fire before it reads what came meanwhile.
      setImmediate(() => {
        for (let log = this.#firstOverdue(); log !== undefined; log = this.#firstOverdue())
          this.#end(log, new Error("the first process did not answer in time"));
      });
    }
  }

  #firstOverdue(): ChannelLog | undefined {
    const now = performance.now();
    for (const { log, dueAt } of this.#pending.values()) if (dueAt <= now) return log;
    return undefined;
  }
}

interface ChannelLogOptions {
  readonly ask: (request: LogRequest) => Promise<never>;
  /** Has all entries after one pushed from now on, as they come; none from time to time. */
  readonly follow: (after: string, pushed: (entries: readonly Entry[]) => void) => void;
  /** What was pushed has been read. */
  readonly drained: () => void;
  readonly end: (reason: Error) => void;
}

interface WaitingRead {
  readonly resolve: (entries: readonly Entry[]) => void;
  readonly reject: (reason: Error) => void;
}

/** The log of one shard in the first process, until a call fails. */
class ChannelLog implements Log {
  readonly ended: Promise<never>;
  /** The number of the first message with entries that were not read yet, if there are some. */
  backlogFrom = 0;
  readonly #options: ChannelLogOptions;
  #end: (reason: Error) => void = () => {};
  #reason: Error | undefined;
  /** What was pushed and not read yet, and the entry before it; undefined: nothing is pushed. */
  #backlog: Entry[] = [];
  #after: string | undefined;
  #waiting: WaitingRead | undefined;

  constructor(options: ChannelLogOptions) {
    this.#options = options;
    this.ended = new Promise((_resolve, reject) => {
      this.#end = reject;
    });
    this.ended.catch(() => {});
  }

  get hasBacklog(): boolean {
    return this.#backlog.length > 0;
  }

  readStatus(command: CommandOf<"readStatus">): Promise<LogStatus> {
    return this.#options.ask(command);
  }

  scan(command: CommandOf<"scan">): Promise<ScanBatch> {
    return this.#options.ask(command);
  }

  join(command: CommandOf<"join">): Promise<JoinReply> {
    return this.#options.ask(command);
  }

  append(command: CommandOf<"append">): Promise<AppendReply> {
    return this.#options.ask(command);
  }

  evict(command: CommandOf<"evict">): Promise<boolean> {
    return this.#options.ask(command);
  }

  async forget(command: CommandOf<"forget">): Promise<void> {
    await this.#options.ask(command);
  }

  read(after: string): Promise<readonly Entry[]> {
    if (this.#reason !== undefined) return Promise.reject(this.#reason);
    // Only the last read is waited for.
    this.#waiting?.resolve([]);
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      if (after === this.#after) return this.#deliver();
      this.#backlog = [];
      this.#after = after;
      this.#options.drained();
      this.#options.follow(after, (entries) => this.#pushed(entries));
    });
  }

  close(): void {
    this.#options.end(new Error("closed"));
  }

  markEnded(reason: Error): void {
    this.#reason ??= reason;
    this.#backlog = [];
    this.#waiting?.reject(this.#reason);
    this.#waiting = undefined;
    this.#end(this.#reason);
  }

  #pushed(entries: readonly Entry[]): void {
    if (this.#backlog.length === 0) this.#backlog = entries as Entry[];
    else for (const entry of entries) this.#backlog.push(entry);
    if (this.#backlog.length > 0) return this.#deliver();
    // There is nothing to read. The reader may want to read on from elsewhere.
    this.#waiting?.resolve([]);
    this.#waiting = undefined;
  }

  #deliver(): void {
    if (this.#waiting === undefined || this.#backlog.length === 0) return;
    const entries = this.#backlog;
    this.#backlog = [];
    this.#after = entries.at(-1)!.id;
    this.#waiting.resolve(entries);
    this.#waiting = undefined;
    this.#options.drained();
  }
}

function endedError(): Error {
  return new Error("the first process has ended");
}
