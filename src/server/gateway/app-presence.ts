import { TokenBucket } from "../../core/collections/token-bucket.ts";
import { type ReadonlyTable, Table } from "../../core/sessions/table.ts";
import type { App } from "../auth/app.ts";
import type { Clock } from "../clock.ts";
import { FlushBatch } from "./flush-batch.ts";
import { ENDS_PER_TURN, type GatewayConfig, USER_FILTER_FACTOR } from "./gateway-config.ts";
import { isHttpSession } from "./http-session-id.ts";
import { LiveViews } from "./live-views.ts";
import type { LoadShedder } from "./load-shedder.ts";
import { RememberedUsers } from "./remembered-users.ts";
import type { ReplicationSink } from "./replication.ts";
import { SessionDeadlines } from "./session-deadlines.ts";
import { SessionLife } from "./session-life.ts";
import { SHARED, type SharedLimits } from "./shared-limits.ts";
import { type ChargesElsewhere, SubscriptionCharges } from "./subscription-charges.ts";
import type { Telemetry } from "./telemetry.ts";
import { TransactionTime } from "./transaction-time.ts";
import type { TurnBudget } from "./turn-budget.ts";
import { TurnQuota } from "./turn-quota.ts";
import type { UserBudget } from "./user-budget.ts";
import { UserBudgets } from "./user-budgets.ts";
import type { ViewFlusher } from "./view-flusher.ts";

export interface AppPresenceOptions {
  readonly limits: GatewayConfig;
  readonly telemetry: Telemetry;
  readonly makeId: () => string;
  readonly clock: Clock;
  /** Called with the time at which something of this app will be due. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
  /** The batches of transactions of the node; undefined: none is ever open. */
  readonly flushBatch?: FlushBatch | undefined;
  /** How many sessions end at once with their sockets; undefined: those of this app. */
  readonly endQuota?: Pick<TurnQuota, "take"> | undefined;
  /** The users of the node who are offline and remembered; undefined: those of this app. */
  readonly rememberedUsers?: RememberedUsers | undefined;
  /** Replicates changes of this node to other nodes; undefined: there are none. */
  readonly replicationSink?: ReplicationSink | undefined;
  /** What other processes count; undefined: there are none. */
  readonly sharedLimits?: SharedLimits | undefined;
  /** Whether memory is low; undefined: never. */
  readonly loadShedder?: Pick<LoadShedder, "isShort"> | undefined;
}

/**
 * The presence of one app: its sessions, views, budgets and deadlines. Assembles these parts, and runs them
 * in order.
 */
export class AppPresence {
  /** For reading sessions. Only `transact` changes them. */
  readonly table: ReadonlyTable;
  readonly liveViews: LiveViews;
  readonly httpRate: TokenBucket;
  /** The limits of each user. */
  readonly budgets: UserBudgets;
  sockets = 0;
  #app: App;
  #isRetired = false;
  readonly #options: AppPresenceOptions;
  readonly #time = new TransactionTime();
  readonly #deadlines: SessionDeadlines;
  readonly #sessions: SessionLife;
  readonly #flusher: ViewFlusher;
  readonly #flushBatch: FlushBatch;

  constructor(app: App, options: AppPresenceOptions) {
    const { limits, telemetry, clock, wakeBy } = options;
    this.#app = app;
    this.#options = options;
    this.#flushBatch = options.flushBatch ?? new FlushBatch();
    const table = new Table(app.indexedCustom, crypto.getRandomValues(new Int32Array(2)));
    this.table = table;
    this.liveViews = new LiveViews({ ...options, table });
    this.#flusher = this.liveViews.flusher;
    this.#deadlines = new SessionDeadlines(limits, wakeBy, (error) => telemetry.crashed(error));
    this.#sessions = new SessionLife({
      appId: app.id,
      keepsLastSeen: () => this.#app.keepsLastSeen,
      rememberedUsers: options.rememberedUsers ?? new RememberedUsers(limits.maxRememberedUsers),
      table,
      limits,
      makeId: options.makeId,
      clock,
      time: this.#time,
      deadlines: this.#deadlines,
      views: this.liveViews.views,
      replicationSink: options.replicationSink,
      endQuota: options.endQuota ?? new TurnQuota(ENDS_PER_TURN),
    });
    this.budgets = new UserBudgets(limits, app.id, options.sharedLimits);
    this.httpRate = new TokenBucket(
      limits.httpRequestsPerSecond,
      2 * limits.httpRequestsPerSecond,
      clock.now(),
    );
  }

  get app(): App {
    return this.#app;
  }

  /** Whether the node serves this app no longer. Its sockets are being closed, and its sessions end. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Whether nothing is left of a retired app. */
  get isGone(): boolean {
    return this.#isRetired && this.sockets === 0 && this.#deadlines.debugCounts().ending === 0;
  }

  /** The app has other secrets, keys or rights. What is fixed while it runs must be the same. */
  reconfigure(app: App): void {
    this.#app = app;
  }

  /**
   * The app is served no longer. The sessions of this node that no socket holds end, a limited number in each
   * turn. Those of sockets end with the sockets, which the node closes.
   */
  retire(now: number): void {
    this.#isRetired = true;
    this.transact(now, (sessions) => {
      for (const session of this.table.all()) {
        const isOwn = session.ownership?.owner === undefined;
        if (isOwn && (session.connection === undefined || isHttpSession(session.sessionId))) {
          sessions.endLater(session);
        }
      }
    });
  }

  /** Leaves nothing of a retired app in what apps share. */
  forget(now: number): void {
    this.transact(now, ({ profiles }) => profiles.forgetAll());
  }

  /** Views with a subscriber. */
  get views(): number {
    return this.liveViews.views.active;
  }

  get subscriptions(): number {
    return this.liveViews.subscriptions;
  }

  /** Number of changes that were merged into a diff with an earlier change of the same user. */
  get coalescedChanges(): number {
    return this.liveViews.views.coalesced;
  }

  /**
   * Sizes of internal collections. All must be zero once every client has left and the idle views have
   * expired.
   */
  debugCounts(): Record<string, number> {
    return {
      ...this.table.debugCounts(),
      ...this.#deadlines.debugCounts(),
      ...this.liveViews.debugCounts(),
      budgets: this.budgets.size,
      sockets: this.sockets,
    };
  }

  /** Whether memory is low, so that nothing may be created that takes more. */
  get isShortOfMemory(): boolean {
    return this.#options.loadShedder?.isShort ?? false;
  }

  /**
   * The only way to change sessions: runs `act` at the time `now`, then flushes the views that it affected,
   * even if `act` throws half way. Inside another transaction, it becomes part of that one.
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
   * The charges for the subscriptions of a budget's user; undefined for an app token, which is charged
   * nothing.
   */
  chargesOf(budget: UserBudget): SubscriptionCharges | undefined {
    if (budget.userId === undefined) return undefined;
    const { maxSubscriptionBytesPerUser: maxBytes, maxSubscriptionsPerSocket } = this.#options.limits;
    budget.subscriptions ??= new SubscriptionCharges(
      { maxBytes, maxFilters: USER_FILTER_FACTOR * maxSubscriptionsPerSocket },
      (key) => this.liveViews.views.dropIdle(key),
      (key) => this.liveViews.views.bytesOfKey(key),
      this.#chargesElsewhere(budget.userId),
    );
    return budget.subscriptions;
  }

  #chargesElsewhere(userId: string): ChargesElsewhere | undefined {
    const { sharedLimits } = this.#options;
    if (sharedLimits === undefined) return undefined;
    const bytesKey = SHARED.subscriptionBytesOf(this.#app.id, userId);
    const filtersKey = SHARED.filtersOf(this.#app.id, userId);
    return {
      get bytes() {
        return sharedLimits.heldByOthers(bytesKey);
      },
      get filters() {
        return sharedLimits.heldByOthers(filtersKey);
      },
      change(bytes, filters) {
        sharedLimits.hold(bytesKey, bytes);
        sharedLimits.hold(filtersKey, filters);
      },
    };
  }

  /** Counts an HTTP request. False: the app has made too many. */
  takeHttpRequest(now: number): boolean {
    if (!this.httpRate.take(now)) return false;
    this.#options.sharedLimits?.take(SHARED.requestsOf(this.#app.id), 1);
    return true;
  }

  /** A user has taken so much at another process. */
  takenElsewhere(userId: string, messages: number, bytes: number, now: number): void {
    this.budgets.takenElsewhere(userId, messages, bytes, now);
    this.#wakeForBudgets();
  }

  /** A socket of the budget's user has gone. */
  releaseBudget(budget: UserBudget, now: number): void {
    this.budgets.release(budget, now);
    this.#wakeForBudgets();
  }

  /** Does what is due at `now`, or a bounded part of it. `nextDueAt` tells whether more is due. */
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

  #wakeForBudgets(): void {
    const due = this.budgets.nextDueAt();
    if (due !== undefined) this.#options.wakeBy(due);
  }

  #canExpireSessions(now: number): boolean {
    return this.#options.replicationSink?.canExpireSessions(now) ?? true;
  }
}
