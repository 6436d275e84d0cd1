import { Buffer } from "node:buffer";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { DEFAULT_WEBHOOK_INTERVAL_MS, type WebhookConfig } from "../auth/webhook-config.ts";
import type { Clock } from "../clock.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import type { VersionSubscriber, ViewChannel } from "../gateway/view-channel.ts";
import {
  ATTEMPT_MS,
  type Attempt,
  type AttemptResult,
  asksForResync,
  type SendWebhook,
} from "./send-webhook.ts";
import { MAX_BODY_BYTES } from "./webhook-body.ts";
import { WebhookDelivery } from "./webhook-delivery.ts";
import { WebhookSigner } from "./webhook-signature.ts";

/** A view that could not be created, or has failed, is created again after this time. */
const VIEW_RETRY_MS = 1_000;
/** A request reaches its receiver within this time, also if nobody waits for the answer. */
const STRAY_MS = ATTEMPT_MS + 1_000;

export interface WebhookLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface WebhookDependencies {
  readonly clock: Clock;
  readonly makeId: () => string;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly send: SendWebhook;
  readonly log: WebhookLog;
  readonly crashed: (error: unknown) => void;
  /** The most bytes of a body; `MAX_BODY_BYTES` by default. */
  readonly maxBodyBytes?: number;
}

/** What operators see of a webhook. */
export interface WebhookStatus {
  readonly id: string;
  /** Number of messages that the receiver has accepted. */
  readonly deliveries: number;
  /** Number of attempts that have failed. */
  readonly failures: number;
  /** The age of the oldest change that the receiver has not accepted, in seconds; 0 if there is none. */
  readonly secondsBehind: number;
  /** Whether the receiver has answered 410. */
  readonly off: boolean;
  /** Whether this node is the one that delivers. */
  readonly delivering: boolean;
}

/** The counts of a webhook, which outlive a change of its configuration. */
export interface WebhookCounts {
  deliveries: number;
  failures: number;
}

/**
 * One webhook: a subscriber of a view whose transport is an HTTP POST. While it is active it holds the view,
 * and sends what its `WebhookDelivery` has to send.
 */
export class Webhook implements VersionSubscriber {
  readonly payer = undefined;
  /** It makes messages of its own, of what has changed when the receiver has taken the one before. */
  readonly takesFrames = false;
  readonly config: WebhookConfig;
  readonly counts: WebhookCounts;
  readonly #options: WebhookDependencies;
  readonly #presence: AppPresence;
  readonly #filter: CompiledFilter;
  readonly #delivery: WebhookDelivery;
  readonly #signer: WebhookSigner;
  /** Has `run` called at a time; infinity: never. */
  readonly #wakeBy: (due: number) => void;
  #channel: ViewChannel | undefined;
  #attempt: Attempt | undefined;
  #isActive = false;
  #isOff = false;
  /** While it is active and has no view: when to try again. */
  #attachAt = 0;
  /** Until when attempts may have begun that are not of the current delivery. */
  #rivalUntil = Number.NEGATIVE_INFINITY;

  /** @throws RangeError for a secret that is none. Nothing has changed then. */
  constructor(
    config: WebhookConfig,
    presence: AppPresence,
    filter: CompiledFilter,
    counts: WebhookCounts,
    options: WebhookDependencies,
    wakeBy: (due: number) => void,
  ) {
    this.config = config;
    this.counts = counts;
    this.#options = options;
    this.#presence = presence;
    this.#filter = filter;
    this.#wakeBy = wakeBy;
    this.#signer = new WebhookSigner(config.secrets);
    this.#delivery = new WebhookDelivery({
      appId: presence.app.id,
      webhookId: config.id,
      maxBodyBytes: options.maxBodyBytes ?? MAX_BODY_BYTES,
      isCount: filter.isCount,
      intervalMs: config.intervalMs ?? DEFAULT_WEBHOOK_INTERVAL_MS,
      makeId: options.makeId,
      random: options.random,
    });
  }

  get isOff(): boolean {
    return this.#isOff;
  }

  get isActive(): boolean {
    return this.#isActive;
  }

  /** Number of users about whom something is kept besides the view. */
  get keptUsers(): number {
    return this.#delivery.keptUsers;
  }

  /** Until when attempts may have begun that are not of the current delivery. */
  get rivalUntil(): number {
    return this.#rivalUntil;
  }

  status(now: number): WebhookStatus {
    const { behindSince = now } = this.#delivery;
    return {
      id: this.config.id,
      ...this.counts,
      secondsBehind: (now - behindSince) / 1000,
      off: this.#isOff,
      delivering: this.#isActive && !this.#isOff,
    };
  }

  /** Begins to deliver, with a snapshot. A receiver that had answered 410 is tried again. */
  activate(now: number): void {
    this.deactivate(now);
    this.#isActive = true;
    this.#attach(now);
  }

  /** Another sender may begin attempts until then. What they bring may come after what this one sends. */
  expectRival(until: number): void {
    if (until <= this.#rivalUntil) return;
    this.#rivalUntil = until;
    if (this.#channel === undefined) return;
    this.#delivery.sharesUntil(until + STRAY_MS);
    this.#wake();
  }

  /** Ends all that is under way. */
  deactivate(now: number): void {
    this.#isActive = false;
    this.#isOff = false;
    this.#detach(now);
  }

  /** When `run` has something to do; infinity if never. */
  nextDueAt(): number {
    if (!this.#isActive || this.#isOff) return Number.POSITIVE_INFINITY;
    return this.#channel === undefined ? this.#attachAt : this.#delivery.nextDueAt();
  }

  /** Sends what is to be sent now. */
  run(now: number): void {
    if (this.#channel === undefined && this.nextDueAt() <= now) this.#attach(now);
    const message = this.#delivery.next(now, new Date(this.#options.clock.wallNow()).toISOString());
    if (message === undefined) return;
    let attempt: Attempt;
    try {
      const body = Buffer.from(message.body);
      const headers = this.#signer.headers(message.id, body, this.#options.clock.wallNow());
      attempt = this.#options.send({ url: this.config.url, headers, body });
    } catch (error) {
      // A defect. The message is tried again, as after any other failure.
      this.#options.crashed(error);
      this.counts.failures++;
      this.#delivery.answered({ kind: "failed" }, now);
      return this.#wake();
    }
    this.#attempt = attempt;
    attempt.result
      .then((result) => {
        // Otherwise it was aborted, and its result means nothing.
        if (this.#attempt !== attempt) return;
        this.#attempt = undefined;
        this.#answered(result, this.#options.clock.now());
      })
      // A defect. It may have left the message half done.
      .catch((error) => this.fail(error));
  }

  /** The view has another version. */
  deliver(): void {
    const now = this.#options.clock.now();
    this.#delivery.changed(now);
    this.#wake();
  }

  end(): readonly number[] {
    return [];
  }

  /** The view, or the delivery of its diff, has failed: begins again with a snapshot. */
  fail(error: unknown): void {
    const now = this.#options.clock.now();
    this.#options.crashed(error);
    this.#detach(now);
    this.#attachAt = now + VIEW_RETRY_MS;
    this.#wake();
  }

  #wake(): void {
    this.#wakeBy(this.nextDueAt());
  }

  #attach(now: number): void {
    const { liveViews } = this.#presence;
    try {
      const channel = liveViews.channel(this.#filter);
      liveViews.join(channel, this);
      this.#channel = channel;
    } catch (error) {
      this.#options.crashed(error);
      this.#attachAt = now + VIEW_RETRY_MS;
      return this.#wake();
    }
    this.#delivery.start(this.#channel.view, now);
    const straysUntil = this.#rivalUntil + STRAY_MS;
    if (straysUntil > now) this.#delivery.sharesUntil(straysUntil);
    this.#wakeOnceHydrated(this.#channel);
  }

  #wakeOnceHydrated(channel: ViewChannel): void {
    if (this.#channel !== channel) return;
    if (channel.view.isHydrating) channel.onceHydrated(() => this.#wakeOnceHydrated(channel));
    else this.#wake();
  }

  #detach(now: number): void {
    if (this.#attempt !== undefined) {
      this.#attempt.abort();
      this.#attempt = undefined;
      // The receiver may have all of it already.
      this.#rivalUntil = Math.max(this.#rivalUntil, now);
    }
    this.#delivery.stop();
    const channel = this.#channel;
    this.#channel = undefined;
    if (channel === undefined) return;
    try {
      this.#presence.liveViews.leave(channel, this, now);
    } catch (error) {
      // A defect, which must not keep this webhook, or the next one, from going on.
      this.#options.crashed(error);
    }
  }

  #answered(result: AttemptResult, now: number): void {
    const names = { app: this.#presence.app.id, webhook: this.config.id };
    const { log } = this.#options;
    const { failures } = this.#delivery;
    if (result.kind === "answered" && result.status >= 200 && result.status <= 299) {
      this.counts.deliveries++;
      if (failures > 0) log.info({ ...names, failures }, "a webhook is delivered again");
      this.#delivery.answered({ kind: "accepted", resync: asksForResync(result.body) }, now);
    } else {
      this.counts.failures++;
      if (result.kind === "answered" && result.status === 410) {
        this.#detach(now);
        this.#isOff = true;
        log.warn(
          names,
          "a webhook is switched off until the next start or reload: its receiver answered 410",
        );
        return;
      }
      const reason = result.kind === "answered" ? `status ${result.status}` : result.reason;
      if (failures === 0) log.warn({ ...names, reason }, "a webhook was not delivered: it is tried again");
      this.#delivery.answered({ kind: "failed" }, now);
    }
    this.#wake();
  }
}
