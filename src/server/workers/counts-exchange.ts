import { CountsOutbox, type CountsReport, forEachCount } from "./counts-outbox.ts";

interface Member {
  readonly outbox: CountsOutbox;
  /** What this worker holds, by key. */
  readonly held: Map<string, number>;
}

/** Tells each worker what the others hold and take, so that limits hold for all of them together. */
export class CountsExchange {
  readonly #members = new Map<number, Member>();
  readonly #send: (worker: number, report: CountsReport) => void;

  constructor(send: (worker: number, report: CountsReport) => void) {
    this.#send = send;
  }

  /** A worker has come, and holds nothing yet. It is told what the others hold. */
  add(worker: number): void {
    const outbox = new CountsOutbox();
    for (const { held } of this.#members.values()) {
      for (const [key, amount] of held) outbox.hold(key, amount);
    }
    this.#members.set(worker, { outbox, held: new Map() });
  }

  /** A worker has gone, and holds nothing any more. */
  remove(worker: number): void {
    const gone = this.#members.get(worker);
    this.#members.delete(worker);
    for (const [key, amount] of gone?.held ?? []) {
      for (const { outbox } of this.#members.values()) outbox.hold(key, -amount);
    }
  }

  /** A worker has reported what it has counted. */
  reported(worker: number, { held, taken }: CountsReport): void {
    const from = this.#members.get(worker);
    if (from === undefined) return;
    const others = [...this.#members.values()].filter((member) => member !== from);
    forEachCount(held, (key, change) => {
      const sum = (from.held.get(key) ?? 0) + change;
      if (sum === 0) from.held.delete(key);
      else from.held.set(key, sum);
      for (const { outbox } of others) outbox.hold(key, change);
    });
    forEachCount(taken, (key, amount) => {
      for (const { outbox } of others) outbox.take(key, amount);
    });
  }

  acknowledged(worker: number): void {
    this.#members.get(worker)?.outbox.acknowledged();
  }

  /** Sends the reports that are due. */
  run(now: number): void {
    for (const [worker, { outbox }] of this.#members) {
      const report = outbox.next(now);
      if (report !== undefined) this.#send(worker, report);
    }
  }

  /** When `run` next has something to do; undefined if not yet. */
  nextDueAt(): number | undefined {
    let next: number | undefined;
    for (const { outbox } of this.#members.values()) {
      const { dueAt } = outbox;
      if (dueAt !== undefined && (next === undefined || dueAt < next)) next = dueAt;
    }
    return next;
  }
}
