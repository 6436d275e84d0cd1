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

/** A call without an answer after this time counts as lost. A read waits for entries first. */
const DEADLINE_MS = 2_000;
const READ_DEADLINE_MS = 4_000;
const CHECK_MS = 500;

interface PendingCall {
  readonly log: ChannelLog;
  readonly dueAt: number;
  readonly resolve: (reply: never) => void;
  readonly reject: (reason: Error) => void;
}

/** An answer: the id of the call, then its reply, or null and what is wrong with the call. */
type Answer = readonly [id: number, reply: never, problem?: string];

/** The logs in the first process, for a worker of it. */
export class LogClient implements LogSource {
  readonly name = "the log in the first process";
  /** A call over IPC costs little. */
  readonly intervalMs = 4;
  readonly #channel: Channel;
  readonly #pending = new Map<number, PendingCall>();
  #calls: unknown[] = [];
  #ids = 0;
  /** The number of the last message that has come. */
  #received = 0;
  #isClosed = false;
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
      end: (reason) => this.#end(log, reason),
    });
    // A first process that does not answer is given nothing else to do.
    await log.readStatus({ do: "readStatus", at: undefined });
    return log;
  }

  #ask(log: ChannelLog, shard: number, request: LogRequest): Promise<never> {
    return new Promise((resolve, reject) => {
      const id = ++this.#ids;
      const dueAt = performance.now() + (request.do === "read" ? READ_DEADLINE_MS : DEADLINE_MS);
      this.#pending.set(id, { log, dueAt, resolve, reject });
      if (this.#isClosed) return this.#end(log, endedError());
      this.#ticker ??= setInterval(() => this.#check(), CHECK_MS).unref();
      if (this.#calls.length === 0) setImmediate(() => this.#send());
      this.#calls.push(encodeCall({ id, shard, request }));
    });
  }

  /** Everything that was asked in this turn of the event loop goes as one message. */
  #send(): void {
    this.#channel.send([this.#received, ...this.#calls]);
    this.#calls = [];
  }

  #take(message: unknown): void {
    const [number, ...answers] = message as readonly [number, ...Answer[]];
    this.#received = number;
    for (const [id, reply, problem] of answers) {
      const call = this.#pending.get(id);
      // Its log has ended meanwhile.
      if (call === undefined) continue;
      if (problem !== undefined) {
        this.#end(call.log, new Error(`the first process refuses a call: ${problem}`));
        continue;
      }
      this.#pending.delete(id);
      call.resolve(reply);
    }
  }

  #end(log: ChannelLog, reason: Error): void {
    log.markEnded(reason);
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
  readonly end: (reason: Error) => void;
}

/** The log of one shard in the first process, until a call fails. */
class ChannelLog implements Log {
  readonly ended: Promise<never>;
  readonly #options: ChannelLogOptions;
  #reject: (reason: Error) => void = () => {};

  constructor(options: ChannelLogOptions) {
    this.#options = options;
    this.ended = new Promise((_resolve, reject) => {
      this.#reject = reject;
    });
    this.ended.catch(() => {});
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
    return this.#options.ask({ do: "read", after });
  }

  close(): void {
    this.#options.end(new Error("closed"));
  }

  markEnded(reason: Error): void {
    this.#reject(reason);
  }
}

function endedError(): Error {
  return new Error("the first process has ended");
}
