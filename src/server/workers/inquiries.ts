interface Inquiry<Answer> {
  readonly missing: Set<number>;
  readonly answers: Map<number, Answer>;
  readonly due: number;
  readonly resolve: (answers: ReadonlyMap<number, Answer>) => void;
}

/**
 * Questions to several workers. Each is over when all have answered, or after a time: a worker that hangs
 * does not keep the others' answers back.
 */
export class Inquiries<Answer> {
  readonly #patienceMs: number;
  /** By id, the oldest in front. */
  readonly #open = new Map<number, Inquiry<Answer>>();
  #lastId = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** How many questions wait for an answer. */
  get size(): number {
    return this.#open.size;
  }

  /** Asks these workers with `send`. Resolves with the answers that came in time, by the worker's number. */
  ask(
    workers: Iterable<number>,
    now: number,
    send: (worker: number, id: number) => void,
  ): Promise<ReadonlyMap<number, Answer>> {
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      const missing = new Set(workers);
      this.#open.set(id, { missing, answers: new Map(), due: now + this.#patienceMs, resolve });
      for (const worker of missing) send(worker, id);
      this.#endIfDone(id);
    });
  }

  /** A worker has answered. An answer that comes too late, or twice, is dropped. */
  answered(worker: number, id: number, answer: Answer): void {
    const inquiry = this.#open.get(id);
    if (inquiry?.missing.delete(worker) !== true) return;
    inquiry.answers.set(worker, answer);
    this.#endIfDone(id);
  }

  /** A worker has gone: nobody waits for it, and what it has answered is not of a worker any more. */
  left(worker: number): void {
    for (const [id, { missing, answers }] of this.#open) {
      answers.delete(worker);
      if (missing.delete(worker)) this.#endIfDone(id);
    }
  }

  /** Ends what is due. */
  run(now: number): void {
    for (const [id, { due }] of this.#open) {
      if (due > now) return;
      this.#end(id);
    }
  }

  /** When `run` next has something to do; undefined if never. */
  nextDueAt(): number | undefined {
    const [oldest] = this.#open.values();
    return oldest?.due;
  }

  #endIfDone(id: number): void {
    if (this.#open.get(id)?.missing.size === 0) this.#end(id);
  }

  #end(id: number): void {
    const { answers, resolve } = this.#open.get(id)!;
    this.#open.delete(id);
    resolve(answers);
  }
}
