import { isDeepStrictEqual } from "node:util";
import { Deadlines } from "../../core/collections/deadlines.ts";
import { FilterSchema } from "../../protocol/filter.ts";
import { allowFilter } from "../auth/allowed-filter.ts";
import { BACK_END } from "../auth/principal.ts";
import type { WebhookConfig } from "../auth/webhook-config.ts";
import type { AppPresence } from "../gateway/app-presence.ts";
import { Ticker } from "../gateway/ticker.ts";
import { Webhook, type WebhookDependencies, type WebhookStatus } from "./webhook.ts";

export interface WebhooksOptions extends WebhookDependencies {
  /**
   * Whether this node delivers the webhooks of an app: it counts the times that the node began to.
   * Undefined: another node does, or none.
   */
  readonly termOf: (appId: string) => number | undefined;
  /** Until when another node may deliver the webhooks of an app too, as far as this node knows. */
  readonly rivalUntil: (appId: string) => number;
}

interface AppWebhooks {
  /** The term in which these webhooks are active; undefined: they are not. */
  term: number | undefined;
  rivalUntil: number;
  readonly byId: Map<string, Webhook>;
}

/** The most webhooks that send in one turn of the event loop. Each may make a page and sign it. */
const MAX_SENT_PER_TURN = 16;
/** A webhook whose turn has failed gets the next one after this time. */
const FAILED_TURN_MS = 1_000;

/**
 * The webhooks of all apps of this node. Each is active while this node is the one that delivers, and begins
 * with a snapshot each time. Without webhooks there is no timer, and nothing to do.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #apps = new Map<string, AppWebhooks>();
  /** When each webhook has something to do. */
  readonly #due = new Deadlines<Webhook>();
  #ticker: Ticker | undefined;

  constructor(options: WebhooksOptions) {
    this.#options = options;
  }

  /**
   * Makes these the webhooks of an app. Those that are new, have changed, or were switched off begin with a
   * snapshot; the others go on untouched. Call it at the start, and after each reload.
   *
   * @throws RangeError for a configuration that `AppConfig` would not have accepted. Nothing has changed
   * then.
   */
  apply(presence: AppPresence, configs: readonly WebhookConfig[]): void {
    const appId = presence.app.id;
    const now = this.#options.clock.now();
    const current = this.#apps.get(appId);
    const next = new Map<string, Webhook>();
    for (const config of configs) {
      const known = current?.byId.get(config.id);
      const isKept = known !== undefined && !known.isOff && isSame(known.config, config);
      next.set(config.id, isKept ? known : this.#create(presence, config, known));
    }

    // From here on nothing can fail.
    for (const [id, webhook] of current?.byId ?? []) {
      if (next.get(id) !== webhook) this.#deactivate(webhook, now);
    }
    if (next.size === 0) this.#apps.delete(appId);
    else
      this.#apps.set(appId, {
        term: undefined,
        rivalUntil: Number.NEGATIVE_INFINITY,
        ...current,
        byId: next,
      });
    if (current?.term !== undefined) {
      for (const [id, webhook] of next) {
        if (webhook.isActive) continue;
        // The one before may have been interrupted while it sent.
        webhook.expectRival(current.byId.get(id)?.rivalUntil ?? current.rivalUntil);
        webhook.activate(now);
      }
    }
    this.#updateTicker();
  }

  /** Ends the webhooks of an app that is no longer served. */
  remove(appId: string): void {
    const now = this.#options.clock.now();
    for (const webhook of this.#apps.get(appId)?.byId.values() ?? []) this.#deactivate(webhook, now);
    this.#apps.delete(appId);
    this.#updateTicker();
  }

  /** Ends all webhooks, and what is under way. */
  stop(): void {
    for (const appId of [...this.#apps.keys()]) this.remove(appId);
  }

  /** Begins and ends what this node delivers, and sends what is due. Called by the timer, and by tests. */
  run(now: number): void {
    for (const [appId, app] of this.#apps) this.#updateTerm(appId, app, now);
    this.#due.forEachDue(now, MAX_SENT_PER_TURN, (webhook) => {
      try {
        webhook.run(now);
        this.#wakeBy(webhook, webhook.nextDueAt());
      } catch (error) {
        // A defect in one webhook must not stop the others.
        this.#options.crashed(error);
        this.#wakeBy(webhook, now + FAILED_TURN_MS);
      }
    });
  }

  /** The webhooks of an app, for people; empty if it has none. */
  statuses(appId: string): readonly WebhookStatus[] {
    const now = this.#options.clock.now();
    return Array.from(this.#apps.get(appId)?.byId.values() ?? [], (webhook) => webhook.status(now));
  }

  /** The apps that have webhooks. */
  appIds(): Iterable<string> {
    return this.#apps.keys();
  }

  /** Number of users about whom webhooks keep something besides the views. */
  get keptUsers(): number {
    let kept = 0;
    for (const { byId } of this.#apps.values())
      for (const webhook of byId.values()) kept += webhook.keptUsers;
    return kept;
  }

  #updateTerm(appId: string, app: AppWebhooks, now: number): void {
    const term = this.#options.termOf(appId);
    if (term !== app.term) {
      app.term = term;
      for (const webhook of app.byId.values()) {
        if (term === undefined) this.#deactivate(webhook, now);
        else webhook.activate(now);
      }
    }
    const rivalUntil = this.#options.rivalUntil(appId);
    if (term === undefined || rivalUntil === app.rivalUntil) return;
    app.rivalUntil = rivalUntil;
    for (const webhook of app.byId.values()) webhook.expectRival(rivalUntil);
  }

  #create(presence: AppPresence, config: WebhookConfig, known: Webhook | undefined): Webhook {
    const { id, filter = FilterSchema.parse({}), count = false } = config;
    const allowed = allowFilter(presence.app, BACK_END, filter, count);
    if (!allowed.ok) throw new RangeError(`webhook ${JSON.stringify(id)} has a filter that is not allowed`);
    const counts = known?.counts ?? { deliveries: 0, failures: 0 };
    const webhook = new Webhook(config, presence, allowed.filter, counts, this.#options, (due) =>
      this.#wakeBy(webhook, due),
    );
    return webhook;
  }

  #deactivate(webhook: Webhook, now: number): void {
    webhook.deactivate(now);
    this.#due.delete(webhook);
  }

  #wakeBy(webhook: Webhook, due: number): void {
    if (due === Number.POSITIVE_INFINITY) return;
    // What is overdue is due now. A timer that fires late must not take this for a pause of the process.
    const at = Math.max(due, this.#options.clock.now());
    this.#due.set(webhook, at);
    this.#ticker?.wakeBy(at);
  }

  /** There is a timer while there are webhooks. */
  #updateTicker(): void {
    if (this.#apps.size === 0) {
      this.#ticker?.stop();
      this.#ticker = undefined;
    } else {
      this.#ticker ??= new Ticker(
        this.#options.clock,
        (now) => this.run(now),
        () => this.#due.nextDueAt(),
      );
    }
  }
}

/** Whether two configurations mean the same. The order of secrets means nothing. */
function isSame(one: WebhookConfig, other: WebhookConfig): boolean {
  const plain = (config: WebhookConfig) => ({ ...config, secrets: [...config.secrets].sort() });
  return isDeepStrictEqual(plain(one), plain(other));
}
