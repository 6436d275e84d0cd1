import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import type { Attempt, AttemptResult, WebhookRequest } from "../../../src/server/webhooks/send-webhook.ts";
import type { Random } from "../../support/random.ts";
import { WebhookCopy } from "../../support/webhook-receiver.ts";

const TIMEOUT_MS = 10_000;

/**
 * How a receiver behaves. One that is hanging gets nothing. One that is late takes a message, but its answer
 * comes after the attempt has ended.
 */
export const MOODS = ["well", "slow", "late", "failing", "hanging", "losing"] as const;
export type Mood = (typeof MOODS)[number];

interface Due {
  readonly at: number;
  readonly act: () => void;
}

/**
 * A receiver that keeps a copy, over a network without sockets. What happens is decided by random numbers and
 * the time of the world.
 */
export class FakeReceiver {
  readonly copy = new WebhookCopy();
  readonly received: WebhookMessage[] = [];
  mood: Mood = "well";
  /** Messages that did not fit a copy which should have been right. */
  misfits = 0;
  /** How long messages are on their way; undefined: as the mood has it. */
  travelMs: number | undefined;
  /** Chance that the answer to a message asks for a snapshot although there is a copy: one in so many. */
  resyncOneIn = 0;
  readonly #random: Random;
  #due: Due[] = [];
  #hasForgotten = false;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Whether it waits for a message to learn that its copy is gone. */
  get hasForgotten(): boolean {
    return this.#hasForgotten;
  }

  /** Its copy is gone, as after a restart without a disk. */
  forget(): void {
    this.copy.forget();
    this.#hasForgotten = true;
  }

  /** Does what is due. */
  run(now: number): void {
    const due = this.#due.filter(({ at }) => at <= now);
    this.#due = this.#due.filter(({ at }) => at > now);
    for (const { act } of due) act();
  }

  /** A message of a node. It may arrive, and change the copy, even if its sender is gone by then. */
  take({ body }: WebhookRequest, now: number): Attempt {
    let resolve: (result: AttemptResult) => void;
    const result = new Promise<AttemptResult>((done) => {
      resolve = done;
    });
    const answerAt = (at: number, answer: AttemptResult) =>
      this.#due.push({ at, act: () => resolve(answer) });
    const timeout: AttemptResult = { kind: "unanswered", reason: "timeout" };
    const { mood } = this;
    const travelMs =
      this.travelMs ??
      (mood === "slow" || mood === "late" ? this.#random.between(10, 9_900) : this.#random.between(1, 60));
    const arrive = () => {
      const message: WebhookMessage = JSON.parse(body.toString());
      if (mood === "failing") return answerAt(0, { kind: "answered", status: 503, body: "" });
      this.received.push(message);
      const isRight = this.copy.apply(message);
      if (!isRight && !this.#hasForgotten) this.misfits++;
      if (this.copy.view !== undefined || this.copy.count !== undefined) this.#hasForgotten = false;
      if (mood === "late") return;
      if (mood === "losing") return answerAt(0, { kind: "unanswered", reason: "connection" });
      const asks = !isRight || (this.resyncOneIn > 0 && this.#random.oneIn(this.resyncOneIn));
      answerAt(0, { kind: "answered", status: 200, body: asks ? '{"resync":true}' : "" });
    };
    if (mood === "hanging" || mood === "late") answerAt(now + TIMEOUT_MS, timeout);
    if (mood !== "hanging") this.#due.push({ at: now + travelMs, act: arrive });
    return { result, abort: () => {} };
  }
}
