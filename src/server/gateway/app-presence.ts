import { TokenBucket } from "../../core/collections/token-bucket.ts";
import { type ReadonlyTable, Table } from "../../core/sessions/table.ts";
import type { App } from "../auth/app.ts";
import type { Clock } from "../clock.ts";
import { FlushBatch } from "./flush-batch.ts";
import { type GatewayConfig, USER_FILTER_FACTOR } from "./gateway-config.ts";
import { LiveViews } from "./live-views.ts";
import type { LoadShedder } from "./load-shedder.ts";
import type { ReplicationSink } from "./replication-sink.ts";
import { SessionDeadlines } from "./session-deadlines.ts";
import { SessionLife } from "./session-life.ts";
import { SubscriptionCharges } from "./subscription-charges.ts";
import type { Telemetry } from "./telemetry.ts";
import { TransactionTime } from "./transaction-time.ts";
import type { TurnBudget } from "./turn-budget.ts";
import type { UserBudget } from "./user-budget.ts";
import { UserBudgets } from "./user-budgets.ts";
import type { ViewFlusher } from "./view-flusher.ts";

export interface AppPresenceOptions {
  readonly limits: GatewayConfig;
  readonly telemetry: Telemetry;
  readonly makeId: () => string;
  readonly clock: Clock;
  /** Called when something of this app will be due at a time. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
  /** The node's batches of transactions; undefined: none is ever open. */
  readonly flushBatch?: FlushBatch | undefined;
  /** Where other nodes read of what happens here; undefined: there are none. */
  readonly replicationSink?: ReplicationSink | undefined;
  /** Whether there is memory for more; undefined: always. */
  readonly loadShedder?: Pick<LoadShedder, "isShort"> | undefined;
}

/**
 * Who of one app is present, and all that belongs to that. It puts the parts together, and keeps their order.
 */
export class AppPresence {
  readonly app: App;
  /** Sessions are read here, and changed by `transact` only. */
  readonly table: ReadonlyTable;
  readonly liveViews: LiveViews;
  readonly httpRate: TokenBucket;
  /** What each user may cost. */
  readonly budgets: UserBudgets;
  sockets = 0;
  readonly #options: AppPresenceOptions;
  readonly #time = new TransactionTime();
  readonly #deadlines: SessionDeadlines;
  readonly #sessions: SessionLife;
  readonly #flusher: ViewFlusher;
  readonly #flushBatch: FlushBatch;

  constructor(app: App, options: AppPresenceOptions) {
    const { limits, telemetry, clock, wakeBy } = options;
    this.app = app;
    this.#options = options;
    this.#flushBatch = options.flushBatch ?? new FlushBatch();
    const table = new Table();
    this.table = table;
    this.liveViews = new LiveViews({ ...options, table });
    this.#flusher = this.liveViews.flusher;
    this.#deadlines = new SessionDeadlines(limits, wakeBy, (error) => telemetry.crashed(error));
    this.#sessions = new SessionLife({
      table,
      limits,
      makeId: options.makeId,
      clock,
      time: this.#time,
      deadlines: this.#deadlines,
      views: this.liveViews.views,
      replicationSink: options.replicationSink,
    });
    this.budgets = new UserBudgets(limits);
    this.httpRate = new TokenBucket(
      limits.httpRequestsPerSecond,
      2 * limits.httpRequestsPerSecond,
      clock.now(),
    );
  }

  /** Views with a subscriber. */
  get views(): number {
    return this.liveViews.views.active;
  }

  get subscriptions(): number {
    return this.liveViews.subscriptions;
  }

  /** Changes that went into a diff together with an earlier one of the same user. */
  get coalescedChanges(): number {
    return this.liveViews.views.coalesced;
  }

  /** Numbers that must all be zero when everybody has left and the idle views have expired. */
  debugCounts(): Record<string, number> {
    return {
      ...this.table.debugCounts(),
      ...this.#deadlines.debugCounts(),
      ...this.liveViews.debugCounts(),
      budgets: this.budgets.size,
      sockets: this.sockets,
    };
  }

  /** Whether nothing may be made that takes more memory. */
  get isShortOfMemory(): boolean {
    return this.#options.loadShedder?.isShort ?? false;
  }

  /**
   * The one way to change sessions: does everything in `act` at the time `now`, then sends what has become of
   * it to those who watch, also if `act` throws half way. Inside another transaction it is a part of that.
   *
   * @throws What `act` throws.
   */
  transact<T>(now: number, act: (sessions: SessionLife) => T): T {
    const outer = this.#time.begin(now);
    try {
      return act(this.#sessions);
    } finally {
      this.#time.end(outer);
      if (outer === undefined) this.#flushBatch.flush(this.#flusher, now);
    }
  }

  /**
   * What the user of a budget is charged for subscriptions; undefined for an app token, which is charged
   * nothing.
   */
  chargesOf(budget: UserBudget): SubscriptionCharges | undefined {
    if (budget.userId === undefined) return undefined;
    const { maxSubscriptionBytesPerUser: maxBytes, maxSubscriptionsPerSocket } = this.#options.limits;
    budget.subscriptions ??= new SubscriptionCharges(
      { maxBytes, maxFilters: USER_FILTER_FACTOR * maxSubscriptionsPerSocket },
      (key) => this.liveViews.views.dropIdle(key),
      (key) => this.liveViews.views.bytesOfKey(key),
    );
    return budget.subscriptions;
  }

  /** A socket of the user of a budget is gone. */
  releaseBudget(budget: UserBudget, now: number): void {
    this.budgets.release(budget, now);
    const due = this.budgets.nextDueAt();
    if (due !== undefined) this.#options.wakeBy(due);
  }

  /** Does what is due, or a good part of it: `next` tells whether there is more. */
  run(now: number): void {
    this.transact(now, (sessions) => {
      this.#deadlines.run(now, this.#canExpireSessions(now), sessions);
      this.liveViews.views.expireIdle(now);
      this.budgets.expire(now);
    });
  }

  /** When `run` next has something to do; infinity if never. */
  nextDueAt(): number {
    return Math.min(
      this.#deadlines.nextDueAt(this.#canExpireSessions(this.#options.clock.now())),
      this.liveViews.views.nextDueAt() ?? Number.POSITIVE_INFINITY,
      this.budgets.nextDueAt() ?? Number.POSITIVE_INFINITY,
    );
  }

  #canExpireSessions(now: number): boolean {
    return this.#options.replicationSink?.canExpireSessions(now) ?? true;
  }
}
