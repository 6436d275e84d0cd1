/**
 * Runs one thing at a time for many who want its result. Whoever comes while it runs shares the next run, so
 * each gets a result that was begun after it came.
 */
export class Coalesced<Result> {
  readonly #run: () => Promise<Result>;
  #current: Promise<Result> | undefined;
  #next: Promise<Result> | undefined;

  constructor(run: () => Promise<Result>) {
    this.#run = run;
  }

  get isIdle(): boolean {
    return this.#current === undefined;
  }

  get(): Promise<Result> {
    if (this.#current === undefined) return this.#start();
    this.#next ??= this.#current.then(
      () => this.#start(),
      () => this.#start(),
    );
    return this.#next;
  }

  #start(): Promise<Result> {
    this.#next = undefined;
    const current = this.#run().finally(() => {
      if (this.#current === current) this.#current = undefined;
    });
    this.#current = current;
    return current;
  }
}
