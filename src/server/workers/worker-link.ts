import type { SharedLimits } from "../gateway/shared-limits.ts";
import { type AppStats, addStats } from "../http/app-stats.ts";
import { Coalesced } from "./coalesced.ts";
import { CountsOutbox, forEachCount } from "./counts-outbox.ts";
import type { FromWorker, PoolState, Question, StartMessage, ToWorker, WorkerFailure } from "./messages.ts";

export interface WorkerLinkOptions {
  /** Sends a message to the first process. */
  readonly send: (message: FromWorker) => void;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly crashed: (error: unknown) => void;
}

/** What a worker does about what the first process tells it. */
export interface WorkerHandlers {
  apps(text: string): void;
  appsFailed(reason: string): void;
  stop(): void;
}

/** What a gateway does for the other workers. */
export interface WorkerDuties {
  /** What this worker has to say to a question that is put to all. */
  answer(question: Question): unknown;
  /** The other workers have taken some of what is limited per second. */
  takenByOthers(key: string, amount: number): void;
}

/** How often a worker shows that it lives. */
const ALIVE_MS = 1_000;
/** How long a question waits for the first process. That one waits a second for the workers. */
const PATIENCE_MS = 3_000;

/** A worker's connection to the first process, and through it to the other workers. */
export class WorkerLink implements SharedLimits {
  /** What the first process tells a worker at its start. */
  readonly started: Promise<StartMessage>;
  readonly #options: WorkerLinkOptions;
  #onStart!: (message: StartMessage) => void;
  #workers = 1;
  #clientsReturnMs = 0;
  #state: PoolState = { wasWhole: false, isMissing: true };
  #handlers: WorkerHandlers | undefined;
  /** What has come before there were handlers. */
  readonly #early: ToWorker[] = [];
  #duties: WorkerDuties | undefined;
  readonly #heldByOthers = new Map<string, number>();
  readonly #outbox = new CountsOutbox();
  #countsTimer: NodeJS.Timeout | undefined;
  readonly #aliveTimer: NodeJS.Timeout;
  #questions = 0;
  readonly #asked = new Map<number, (answers: readonly unknown[]) => void>();
  /** By the question. */
  readonly #askers = new Map<string, Coalesced<readonly unknown[]>>();

  constructor(options: WorkerLinkOptions) {
    this.#options = options;
    this.started = new Promise((resolve) => {
      this.#onStart = resolve;
    });
    this.#aliveTimer = setInterval(() => options.send({ type: "alive" }), ALIVE_MS);
    this.#aliveTimer.unref();
  }

  /** How long clients of the gateway before this one may still be coming back, in milliseconds. */
  get clientsReturnMs(): number {
    return this.#clientsReturnMs;
  }

  get workers(): number {
    return this.#workers;
  }

  /** Whether all workers were ready at the same time, at least once. */
  get wasWhole(): boolean {
    return this.#state.wasWhole;
  }

  /** Whether a worker is not ready now. */
  get isMissing(): boolean {
    return this.#state.isMissing;
  }

  /** From now on there is somebody who does what the first process says. */
  handleWith(handlers: WorkerHandlers): void {
    this.#handlers = handlers;
    for (const message of this.#early.splice(0)) this.receive(message);
  }

  /** From now on this worker answers questions. */
  serve(duties: WorkerDuties): void {
    this.#duties = duties;
  }

  listening(port: number): void {
    this.#options.send({ type: "listening", port });
  }

  ready(): void {
    this.#options.send({ type: "ready" });
  }

  /** This worker cannot run. */
  failed(failure: WorkerFailure): void {
    this.#options.send({ type: "failed", ...failure });
  }

  /**
   * Asks all workers, this one included. A worker that does not answer in time is left out. There are no
   * answers if the first process has none in time. Questions that are alike share an answer, so there are not
   * more than two of a kind under way.
   */
  ask(question: Question): Promise<readonly unknown[]> {
    const key = JSON.stringify(question);
    let asker = this.#askers.get(key);
    if (asker === undefined) {
      asker = new Coalesced(() => this.#ask(question));
      this.#askers.set(key, asker);
    }
    const answers = asker.get();
    const forget = () => {
      if (this.#askers.get(key)?.isIdle) this.#askers.delete(key);
    };
    answers.then(forget, forget);
    return answers;
  }

  /** The metrics of all workers; undefined if the first process does not answer. */
  async readMetrics(): Promise<{ contentType: string; text: string } | undefined> {
    const [metrics] = await this.ask({ about: "metrics" });
    return (metrics as { contentType: string; text: string } | null | undefined) ?? undefined;
  }

  /** What all workers know of an app besides its sessions; this one alone if the first process hangs. */
  async readStats(appId: string): Promise<AppStats> {
    const question: Question = { about: "stats", appId };
    const asked = await this.ask(question);
    const answers = asked.length > 0 ? asked : [await this.#duties?.answer(question)];
    return addStats(answers.filter((answer) => typeof answer === "object" && answer !== null) as AppStats[]);
  }

  hold(key: string, change: number): void {
    this.#outbox.hold(key, change);
    this.#report();
  }

  heldByOthers(key: string): number {
    return this.#heldByOthers.get(key) ?? 0;
  }

  take(key: string, amount: number): void {
    this.#outbox.take(key, amount);
    this.#report();
  }

  /** A message of the first process has come. */
  receive(message: ToWorker): void {
    try {
      this.#receive(message);
    } catch (error) {
      this.#options.crashed(error);
    }
  }

  /** Ends the timers of this link. */
  close(): void {
    clearInterval(this.#aliveTimer);
    clearTimeout(this.#countsTimer);
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case "start":
        this.#state = message.state;
        this.#workers = message.workers;
        this.#clientsReturnMs = message.clientsReturnMs;
        return this.#onStart(message);
      case "state":
        this.#state = message;
        return;
      case "apps":
      case "apps-failed":
      case "stop":
        return this.#handle(message);
      case "question":
        return void this.#answer(message.id, message.question);
      case "answers":
        this.#asked.get(message.id)?.(message.answers);
        return;
      case "counts":
        this.#options.send({ type: "counts-taken" });
        forEachCount(message.report.held, (key, change) => this.#othersHold(key, change));
        forEachCount(message.report.taken, (key, amount) => this.#duties?.takenByOthers(key, amount));
        return;
      case "counts-taken":
        this.#outbox.acknowledged();
        return this.#report();
      default:
        return message satisfies never;
    }
  }

  #handle(message: Extract<ToWorker, { type: "apps" | "apps-failed" | "stop" }>): void {
    const handlers = this.#handlers;
    if (handlers === undefined) this.#early.push(message);
    else if (message.type === "apps") handlers.apps(message.text);
    else if (message.type === "apps-failed") handlers.appsFailed(message.reason);
    else handlers.stop();
  }

  async #answer(id: number, question: Question): Promise<void> {
    let answer: unknown;
    try {
      answer = await this.#duties?.answer(question);
    } catch (error) {
      this.#options.crashed(error);
    }
    this.#options.send({ type: "answer", id, answer });
  }

  #ask(question: Question): Promise<readonly unknown[]> {
    const id = ++this.#questions;
    return new Promise((resolve) => {
      const end = (answers: readonly unknown[]) => {
        clearTimeout(timer);
        this.#asked.delete(id);
        resolve(answers);
      };
      // The first process may hang, and whoever asks shall not wait for it without end.
      const timer = setTimeout(() => end([]), PATIENCE_MS);
      timer.unref();
      this.#asked.set(id, end);
      this.#options.send({ type: "question", id, question });
    });
  }

  #othersHold(key: string, change: number): void {
    const sum = this.heldByOthers(key) + change;
    if (sum === 0) this.#heldByOthers.delete(key);
    else this.#heldByOthers.set(key, sum);
  }

  /** Sends what was counted, when it is due. */
  #report(): void {
    if (this.#countsTimer !== undefined) return;
    const { dueAt } = this.#outbox;
    if (dueAt === undefined) return;
    this.#countsTimer = setTimeout(
      () => {
        this.#countsTimer = undefined;
        const report = this.#outbox.next(this.#options.now());
        if (report !== undefined) this.#options.send({ type: "counts", report });
        else this.#report();
      },
      Math.max(1, dueAt - this.#options.now()),
    );
    this.#countsTimer.unref();
  }
}
