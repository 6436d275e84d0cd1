import type { Clock } from "../clock.ts";
import { Ticker } from "../gateway/ticker.ts";
import { CountsExchange } from "./counts-exchange.ts";
import { Inquiries } from "./inquiries.ts";
import type { FromWorker, PoolState, Question, StartMessage, ToWorker, WorkerFailure } from "./messages.ts";
import { RestartPause } from "./restart-pause.ts";

/** A process that was started as a worker. */
export interface WorkerProcess {
  /** The name under which it is a node. */
  readonly nodeId: string;
  readonly pid: number | undefined;
  send(message: ToWorker): void;
  /** Ends it at once, whatever it does. */
  kill(): void;
}

export interface WorkerEvents {
  message(message: FromWorker): void;
  /** The process has ended. `how`: its exit code or signal, for people. */
  ended(how: string): void;
}

export interface WorkerPoolOptions {
  /** How many workers there are. */
  readonly size: number;
  /** The port to listen on; 0: any free port. */
  readonly port: number;
  /** A worker that is silent for so long, in milliseconds, is ended and started again. */
  readonly silenceMs: number;
  /** How long clients of the gateway before this one may still be coming back, from now on. */
  readonly clientsReturnMs: number;
  readonly clock: Clock;
  readonly log: PoolLog;
  /** Starts a process. It gets its number, and what it has to know comes with the first message. */
  readonly spawn: (number: number, events: WorkerEvents) => WorkerProcess;
  /** What a worker that starts now has to know of the apps. */
  readonly apps: () => Pick<StartMessage, "appsText" | "demoSecret">;
  /** Makes of the workers' answers what the one that asks gets. */
  readonly summarize: (
    question: Question,
    answers: ReadonlyMap<number, unknown>,
  ) => Promise<readonly unknown[]>;
  /** A worker has ended. */
  readonly left: (number: number) => void;
  readonly crashed: (error: unknown) => void;
}

export interface PoolLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** How long a question waits for the answer of a worker. */
const PATIENCE_MS = 1_000;
/**
 * So long, in milliseconds, a worker that loads its code may be silent. On a machine that does much else it
 * takes many seconds, and the next one would not be faster.
 */
const LOADING_SILENCE_MS = 60_000;
/** A worker that shuts down, and is silent for so long, in milliseconds, will not come to its end. */
const STOPPING_SILENCE_MS = 5_000;
/** So long, in milliseconds, workers may take that are to end at once. */
const END_MS = 2_000;

interface Member {
  readonly number: number;
  readonly pause: RestartPause;
  /** Undefined while it waits to be started again. */
  running: Running | undefined;
  /** When to start it again, while it does not run. */
  startAt: number;
}

interface Running {
  readonly process: WorkerProcess;
  readonly startedAt: number;
  heardAt: number;
  /** Whether it listens to what it is told. */
  hearsUs: boolean;
  isListening: boolean;
  isReady: boolean;
  isKilled: boolean;
}

/**
 * The workers of one gateway: starts them, starts them again when they end, tells them of each other, and
 * ends them. The first one starts alone, so that what is wrong with the configuration is said once, and so
 * that a port that the system chooses is known to the others.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members: readonly Member[];
  readonly #inquiries = new Inquiries<unknown>(PATIENCE_MS);
  readonly #counts: CountsExchange;
  readonly #ticker: Ticker;
  readonly #startedAt: number;
  /** Resolves with the port once all workers are ready. */
  readonly whole: Promise<number>;
  /** Resolves if the gateway cannot run, with the reason for the operator. */
  readonly failed: Promise<string>;
  /** Resolves once it was told to stop, and all workers have ended. */
  readonly stopped: Promise<void>;
  #onWhole!: (port: number) => void;
  #onFailed!: (reason: string) => void;
  #onStopped!: () => void;
  #state: PoolState = { wasWhole: false, isMissing: true };
  #port: number | undefined;
  #isStopping = false;
  /** When workers that still run are killed. */
  #killAt = Number.POSITIVE_INFINITY;
  #restarts = 0;

  constructor(options: WorkerPoolOptions) {
    const { size, clock } = options;
    this.#options = options;
    this.#startedAt = clock.now();
    this.#members = Array.from({ length: size }, (_, i) => ({
      number: i + 1,
      pause: new RestartPause(),
      running: undefined,
      startAt: i === 0 ? this.#startedAt : Number.POSITIVE_INFINITY,
    }));
    this.#counts = new CountsExchange((number, report) => this.#send(number, { type: "counts", report }));
    this.whole = new Promise((resolve) => {
      this.#onWhole = resolve;
    });
    this.failed = new Promise((resolve) => {
      this.#onFailed = resolve;
    });
    this.stopped = new Promise((resolve) => {
      this.#onStopped = resolve;
    });
    this.#ticker = new Ticker(
      clock,
      (now) => this.run(now),
      () => this.#nextDueAt(),
    );
  }

  /** How many workers are ready. */
  get ready(): number {
    return this.#members.filter(({ running }) => running?.isReady).length;
  }

  /** How many times a worker was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Sends a message to all workers that run. */
  broadcast(message: ToWorker): void {
    for (const { number } of this.#members) this.#send(number, message);
  }

  /** Sends a message to one worker. False: none runs. */
  tellOne(message: ToWorker): boolean {
    const first = this.#members.find(({ running }) => running?.isListening);
    if (first !== undefined) this.#send(first.number, message);
    return first !== undefined;
  }

  /** Has all workers shut down gently, and starts none again. The second time they end at once. */
  stop(): void {
    if (this.#isStopping) this.#killAt = Math.min(this.#killAt, this.#options.clock.now() + END_MS);
    this.#isStopping = true;
    for (const member of this.#members) member.startAt = Number.POSITIVE_INFINITY;
    this.broadcast({ type: "stop" });
    this.#wake();
    this.#endIfStopped();
  }

  /** Stops the timer of the pool. The workers are left to themselves. */
  end(): void {
    this.#ticker.stop();
  }

  /** Does what is due. Called by the timer, and by tests. */
  run(now: number): void {
    for (const member of this.#members) {
      const { running } = member;
      if (running === undefined) {
        if (member.startAt <= now) this.#start(member, now);
      } else if (this.#killTimeOf(running) <= now && !running.isKilled) {
        const silentMs = Math.round(now - running.heardAt);
        this.#options.log.warn({ worker: member.number, silentMs }, "a worker does not answer: it is ended");
        running.isKilled = true;
        running.process.kill();
      }
    }
    this.#inquiries.run(now);
    this.#counts.run(now);
  }

  #nextDueAt(): number | undefined {
    const times = this.#members.map(({ running, startAt }) => {
      if (running !== undefined) return running.isKilled ? undefined : this.#killTimeOf(running);
      return startAt;
    });
    const dues = [...times, this.#inquiries.nextDueAt(), this.#counts.nextDueAt()];
    return Math.min(...dues.map((due) => due ?? Number.POSITIVE_INFINITY));
  }

  /** When a worker is killed if it stays silent, or has to end. */
  #killTimeOf({ heardAt, hearsUs }: Running): number {
    const { silenceMs } = this.#options;
    const normalMs = hearsUs ? silenceMs : Math.max(silenceMs, LOADING_SILENCE_MS);
    const patienceMs = this.#isStopping ? Math.min(normalMs, STOPPING_SILENCE_MS) : normalMs;
    return Math.min(heardAt + patienceMs, this.#killAt);
  }

  #start(member: Member, now: number): void {
    const { number } = member;
    const { spawn, clock } = this.#options;
    member.startAt = Number.POSITIVE_INFINITY;
    let process: WorkerProcess;
    try {
      process = spawn(number, {
        message: (message) => {
          if (member.running === running) this.#heard(member, running, message, clock.now());
        },
        ended: (how) => {
          if (member.running === running) this.#ended(member, running.startedAt, how, clock.now());
        },
      });
    } catch (error) {
      return this.#ended(member, now, error instanceof Error ? error.message : String(error), now);
    }
    const running: Running = {
      process,
      startedAt: now,
      heardAt: now,
      hearsUs: false,
      isListening: false,
      isReady: false,
      isKilled: false,
    };
    member.running = running;
    this.#options.log.info({ worker: number, pid: process.pid }, "started a worker");
  }

  /** A worker that was started can be told what it has to know. */
  #begin(member: Member, running: Running, now: number): void {
    const { number } = member;
    const { apps, clientsReturnMs } = this.#options;
    running.hearsUs = true;
    this.#counts.add(number);
    running.process.send({
      type: "start",
      number,
      workers: this.#members.length,
      nodeId: running.process.nodeId,
      port: this.#port ?? this.#options.port,
      ...apps(),
      clientsReturnMs: Math.max(0, this.#startedAt + clientsReturnMs - now),
      state: this.#state,
    });
    if (this.#isStopping) running.process.send({ type: "stop" });
    this.#wake();
  }

  #heard(member: Member, running: Running, message: FromWorker, now: number): void {
    const { number } = member;
    running.heardAt = now;
    switch (message.type) {
      case "alive":
        return;
      case "hello":
        return this.#begin(member, running, now);
      case "listening":
        return this.#listening(running, message.port, now);
      case "ready":
        running.isReady = true;
        return this.#updateState();
      case "failed":
        return this.#failed(number, message);
      case "question":
        return void this.#answer(member, running, message, now);
      case "answer":
        return this.#inquiries.answered(number, message.id, message.answer);
      case "counts":
        this.#counts.reported(number, message.report);
        this.#send(number, { type: "counts-taken" });
        return this.#wake();
      case "counts-taken":
        this.#counts.acknowledged(number);
        return this.#wake();
      default:
        return message satisfies never;
    }
  }

  #failed(worker: number, { message, concernsAll, stack }: WorkerFailure): void {
    const { log } = this.#options;
    const reason = stack === undefined ? message : `a worker crashed while it started: ${message}`;
    if (stack !== undefined) log.error({ worker, stack }, "a worker crashed while it started: a defect");
    if (concernsAll || this.#port === undefined) this.#onFailed(reason);
    else if (stack === undefined) log.warn({ worker, reason }, "a worker cannot start");
  }

  #listening(running: Running, port: number, now: number): void {
    running.isListening = true;
    this.#port ??= port;
    if (this.#isStopping) return;
    for (const member of this.#members) {
      // Those that were never started.
      if (member.running === undefined && member.startAt === Number.POSITIVE_INFINITY) member.startAt = now;
    }
    this.#wake();
  }

  async #answer(
    member: Member,
    asker: Running,
    { id, question }: Extract<FromWorker, { type: "question" }>,
    now: number,
  ): Promise<void> {
    let answers: readonly unknown[] = [];
    try {
      const running = this.#members.filter((each) => each.running?.isListening).map(({ number }) => number);
      const answered = this.#inquiries.ask(running, now, (number, inquiry) =>
        this.#send(number, { type: "question", id: inquiry, question }),
      );
      this.#wake();
      answers = await this.#options.summarize(question, await answered);
    } catch (error) {
      this.#options.crashed(error);
    }
    // The next worker with this number counts its questions from 1 too.
    if (member.running === asker) this.#send(member.number, { type: "answers", id, answers });
  }

  #ended(member: Member, startedAt: number, how: string, now: number): void {
    const { number } = member;
    member.running = undefined;
    this.#inquiries.left(number);
    this.#counts.remove(number);
    this.#options.left(number);
    if (this.#isStopping) return this.#endIfStopped();
    if (this.#port === undefined) return this.#onFailed(`a worker ended while it started (${how})`);
    const pauseMs = member.pause.next(now - startedAt);
    this.#restarts++;
    member.startAt = now + pauseMs;
    this.#options.log.warn({ worker: number, how, pauseMs }, "a worker has ended: it is started again");
    this.#updateState();
    this.#wake();
  }

  #updateState(): void {
    const isMissing = this.ready < this.#members.length;
    if (isMissing === this.#state.isMissing) return;
    this.#state = { wasWhole: true, isMissing };
    this.broadcast({ type: "state", ...this.#state });
    if (isMissing) return;
    this.#options.log.info({ workers: this.#members.length, port: this.#port }, "all workers are ready");
    this.#onWhole(this.#port!);
  }

  #endIfStopped(): void {
    if (this.#members.some(({ running }) => running !== undefined)) return;
    this.#ticker.stop();
    this.#onStopped();
  }

  #send(number: number, message: ToWorker): void {
    const running = this.#members[number - 1]?.running;
    if (running?.hearsUs) running.process.send(message);
  }

  #wake(): void {
    this.#ticker.wakeBy(this.#nextDueAt() ?? Number.POSITIVE_INFINITY);
  }
}
