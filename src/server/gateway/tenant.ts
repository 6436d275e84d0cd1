import { Deadlines } from "../../core/collections/deadlines.ts";
import { TokenBucket } from "../../core/collections/token-bucket.ts";
import {
  MAX_ORIGIN,
  NEW_SESSION,
  type Origin,
  patchState,
  type Session,
  type SessionState,
} from "../../core/sessions/session.ts";
import { type Change, Table } from "../../core/sessions/table.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import type { Flush, View } from "../../core/views/view.ts";
import { type Collected, type IdleViewOwner, Views } from "../../core/views/views.ts";
import type { EndCause } from "../../protocol/codes.ts";
import { MAX_USER_CUSTOM_BYTES } from "../../protocol/rules.ts";
import type { SessionKind, SessionPatch } from "../../protocol/wire.ts";
import type { App } from "../auth/app.ts";
import type { Clock } from "../clock.ts";
import { Feed, type FlushPayer, type Subscriber } from "./feed.ts";
import type { Journal } from "./journal.ts";
import {
  FAILED_FLUSH_REST_MS,
  type Limits,
  LONGEST_FREE_FLUSH_MS,
  MAX_DUE_PER_TURN,
  REST_PER_COST,
  REST_PER_COST_AT_ONCE,
  REST_PER_PRIVATE_COST,
  USER_FILTER_FACTOR,
} from "./limits.ts";
import type { MemoryGate } from "./memory-gate.ts";
import { SubscriptionCharges } from "./subscription-charges.ts";
import type { Telemetry } from "./telemetry.ts";
import { DELIVER_AT_ONCE_MS, flushCostMs, type TurnBudget } from "./turn-budget.ts";
import type { UserBudget } from "./user-budget.ts";
import { UserBudgets } from "./user-budgets.ts";

/** Who holds a session: told when it is taken away. */
export interface Holder {
  /** The session is no longer theirs: another socket took it over, or it was ended from outside. */
  lose(session: HeldSession, cause: "replaced" | "kicked"): void;
}
export type HeldSession = Session<Holder>;

/** How another node says that a session is. */
export interface RemoteSession {
  readonly userId: string;
  readonly kind: SessionKind;
  readonly opened: number;
  readonly term: number;
  /** See `Origin`. */
  readonly lostAt: number | undefined;
  readonly state: SessionState;
}

export interface TenantOptions {
  readonly limits: Limits;
  readonly telemetry: Telemetry;
  readonly makeId: () => string;
  readonly clock: Clock;
  /** Called when something of this tenant will be due at a time. */
  readonly wakeBy: (due: number) => void;
  /** The node's time for flushes in one turn of the event loop. */
  readonly flushTurn: TurnBudget;
  /** Where other nodes read of what happens here; undefined: there are none. */
  readonly journal?: Journal | undefined;
  /** Whether there is memory for more; undefined: always. */
  readonly memory?: Pick<MemoryGate, "isShort"> | undefined;
}

/**
 * All that belongs to one app, and the one door through which its table is written. Every method that changes sessions
 * takes the time, tells the views, and expects `settle` to be called once after a batch of them.
 */
export class Tenant {
  readonly app: App;
  readonly table = new Table<Holder>();
  readonly httpRate: TokenBucket;
  /** What each user may cost. */
  readonly budgets: UserBudgets;
  readonly #views: Views<Holder>;
  readonly #feeds = new Map<View<Holder>, Feed<Holder>>();
  /** Feeds whose last diff has not reached all subscribers yet, and what it has cost so far in milliseconds. */
  readonly #publishing = new Map<Feed<Holder>, number>();
  readonly #typing = new Deadlines<HeldSession>();
  readonly #lost = new Deadlines<HeldSession>();
  /** Sessions whose socket has said goodbye, and that are too many to end in one turn. */
  readonly #left = new Deadlines<HeldSession>();
  readonly #options: TenantOptions;
  #collecting: NodeJS.Immediate | undefined;
  sockets = 0;
  subscriptions = 0;

  constructor(app: App, options: TenantOptions) {
    const { limits } = options;
    this.app = app;
    this.#options = options;
    this.#views = new Views(this.table, limits.diffIntervalMs, options.makeId);
    this.budgets = new UserBudgets(limits);
    this.httpRate = new TokenBucket(
      limits.httpRequestsPerSecond,
      2 * limits.httpRequestsPerSecond,
      options.clock.now(),
    );
  }

  get views(): number {
    return this.#views.active;
  }

  get foldedEvents(): number {
    return this.#views.folded;
  }

  /** Numbers that must all be zero when everybody has left and the idle views have expired. */
  leftovers(): Record<string, number> {
    return {
      ...this.table.leftovers(),
      ...this.#views.leftovers(),
      feeds: this.#feeds.size,
      publishing: this.#publishing.size,
      typing: this.#typing.size,
      lost: this.#lost.size,
      left: this.#left.size,
      budgets: this.budgets.size,
      sockets: this.sockets,
      subscriptions: this.subscriptions,
    };
  }

  /** Whether nothing may be made that takes more memory. */
  get isShortOfMemory(): boolean {
    return this.#options.memory?.isShort ?? false;
  }

  /**
   * Which sessions of a user have to end before one more is opened, or one is resumed: none, those whose sockets were
   * lost the longest ago, on whichever node, as far as this node knows, or "full" if too few are lost. Only where nodes
   * did not hear of each other in time may a user have more than the limits, so that a resumed one has to make room.
   */
  sessionsToEvict(userId: string, now: number, resumed?: HeldSession): readonly HeldSession[] | "full" {
    const user = this.table.user(userId);
    if (user === undefined) return [];
    const more = resumed === undefined ? 1 : 0;
    let tooMany = user.sessions.length + more - this.#options.limits.maxSessionsPerUser;
    // Those that one more may have are for the caller to count.
    let tooLarge = resumed === undefined ? 0 : user.customBytes - MAX_USER_CUSTOM_BYTES;
    if (tooMany <= 0 && tooLarge <= 0) return [];
    const lost: Lost[] = [];
    for (const session of user.sessions) {
      const forMs = session === resumed ? undefined : this.#lostForMs(session, now);
      if (forMs !== undefined) lost.push({ session, forMs });
    }
    if (tooMany === 1 && tooLarge <= 0 && lost.length > 0) return [lost.reduce(longerLost).session];
    // Equal ones may be infinite, and have no difference.
    lost.sort((one, other) => other.forMs - one.forMs || 0);
    const evicted: HeldSession[] = [];
    for (const { session } of lost) {
      evicted.push(session);
      tooLarge -= session.customBytes;
      if (--tooMany <= 0 && tooLarge <= 0) return evicted;
    }
    return "full";
  }

  /** Ends a lost session before its time, as the user opens another. */
  evict(session: HeldSession, now: number): void {
    this.end(session, this.#left.get(session) === undefined ? "timeout" : "closed", now);
  }

  /** Opens a session with a fresh id. Whether the user may have one more is for the caller to find out. */
  open(userId: string, kind: SessionKind, patch: SessionPatch, holder: Holder, now: number): HeldSession {
    const sessionId = this.#options.makeId();
    const state = patchState(NEW_SESSION, patch);
    this.#note(this.table.open(sessionId, userId, kind, state, holder, this.#origin(userId)), now);
    const session = this.table.get(sessionId)!;
    if (state.isTyping) this.#startTyping(session, now);
    this.#options.journal?.opened(session);
    return session;
  }

  /** The session of that id if this user may resume it as that kind. */
  resumable(sessionId: string, userId: string, kind: SessionKind): HeldSession | undefined {
    const session = this.table.get(sessionId);
    return session?.user.userId === userId && session.kind === kind ? session : undefined;
  }

  /** Gives a session another holder; the one that it had is told, on whichever node. Nobody else sees a change. */
  takeOver(session: HeldSession, holder: Holder, now: number): void {
    const before = session.holder;
    session.holder = holder;
    this.#lost.delete(session);
    this.#left.delete(session);
    if (before !== undefined && before !== holder) before.lose(session, "replaced");
    const { origin } = session;
    if (origin === undefined) return;
    if (origin.owner !== undefined && session.isTyping) this.#startTyping(session, now);
    origin.owner = undefined;
    origin.lostAt = undefined;
    // Under a partition the session may have been at another node meanwhile, so the epoch also advances for this node's
    // own.
    origin.term = Math.min(origin.term + 1, MAX_ORIGIN);
    this.#options.journal?.claimed(session);
  }

  update(session: HeldSession, patch: SessionPatch, now: number): void {
    const state = patchState(session, patch);
    if (state.isTyping && patch.isTyping === true) this.#startTyping(session, now);
    else if (session.isTyping && !state.isTyping) this.#typing.delete(session);
    this.#put(session, state, now);
    if (state !== session && session.origin?.owner === undefined) this.#options.journal?.changed(session);
  }

  end(session: HeldSession, cause: EndCause, now: number): void {
    this.#options.journal?.ended(session, cause);
    this.#forget(session);
    this.#note(this.table.end(session, cause), now);
  }

  /** The session's socket has said goodbye: it ends as soon as others were served. */
  leave(session: HeldSession, now: number): void {
    session.holder = undefined;
    this.#left.set(session, now);
    this.#options.wakeBy(now);
  }

  /** The session's socket was lost: it stays as it is, and can be resumed, until the window is over. */
  lose(session: HeldSession, now: number): void {
    session.holder = undefined;
    const { resumeWindowMs, maxSessionsPerUser } = this.#options.limits;
    const due = now + resumeWindowMs;
    this.#lost.set(session, due);
    this.#options.wakeBy(due);
    const { origin, user } = session;
    if (origin === undefined || origin.owner !== undefined) return;
    // Other nodes have to know only if the user may soon need its place: a lost network is not to be told of
    // by all.
    const isScarce = 2 * user.sessions.length >= maxSessionsPerUser;
    origin.lostAt = isScarce ? this.#wallNow() : undefined;
    if (isScarce) this.#options.journal?.changed(session);
  }

  /** Ends all sessions of a user; returns how many. */
  kick(userId: string, now: number): number {
    const sessions = [...(this.table.user(userId)?.sessions ?? [])];
    for (const session of sessions) {
      const { holder } = session;
      this.end(session, "kicked", now);
      holder?.lose(session, "kicked");
    }
    return sessions.length;
  }

  /** Another node says how a session of its own is. One that was held here has been taken over there. */
  follow(sessionId: string, remote: RemoteSession, owner: string, now: number): void {
    const { userId, kind, opened, term, lostAt, state } = remote;
    const session = this.table.get(sessionId);
    if (session === undefined) {
      const origin = { opened, owner, term, lostAt };
      this.#note(this.table.open(sessionId, userId, kind, state, undefined, origin), now);
      return;
    }
    const { user, origin, holder } = session;
    if (user.userId !== userId || session.kind !== kind || origin === undefined) return;
    if (origin.owner !== owner) {
      this.#forget(session);
      origin.owner = owner;
      holder?.lose(session, "replaced");
    }
    origin.term = term;
    origin.lostAt = lostAt;
    this.#put(session, state, now);
  }

  /** Another node says that a session has ended. */
  endFollowed(session: HeldSession, cause: EndCause, now: number): void {
    const { holder } = session;
    this.#forget(session);
    this.#note(this.table.end(session, cause), now);
    holder?.lose(session, cause === "kicked" ? "kicked" : "replaced");
  }

  /** A session that was given up is this node's own after all, and waits to be resumed. */
  adopt(session: HeldSession, now: number): void {
    if (session.origin === undefined) return;
    session.origin.owner = undefined;
    if (session.isTyping) this.#startTyping(session, now);
    this.lose(session, now);
  }

  /** The owner of a session is no more: if its user types, nobody else will say when that ends. */
  orphan(session: HeldSession, now: number): void {
    if (session.origin !== undefined) session.origin.lostAt ??= this.#wallNow();
    if (session.isTyping) this.#startTyping(session, now);
  }

  /** The feed of a filter, made if there is none. A feed without a subscriber has to be given back by `dismiss`. */
  feed(filter: CompiledFilter): Feed<Holder> {
    const view = this.#views.acquire(filter);
    let feed = this.#feeds.get(view);
    if (feed === undefined) {
      feed = new Feed(view, this.#options.telemetry);
      this.#feeds.set(view, feed);
    }
    this.#collect();
    return feed;
  }

  /** One more watches a feed. What another user has used up is not for this one to wait for. */
  join(feed: Feed<Holder>, subscriber: Subscriber): void {
    feed.add(subscriber);
    this.subscriptions++;
    this.#views.hasten(feed.view, subscriber.payer);
    this.#wake();
  }

  /** The view of a filter, if there is one, and about how many bytes a view keeps. */
  findView(filter: CompiledFilter): View<Holder> | undefined {
    return this.#views.find(filter);
  }

  bytesOf(view: View<Holder>): number {
    return this.#views.bytesOf(view);
  }

  snapshotBytesOf(view: View<Holder>): number {
    return this.#views.snapshotBytesOf(view);
  }

  /** What a view that is not there yet would keep at least: a large one is not to be made in vain. */
  leastBytesOf(filter: CompiledFilter): number {
    return this.#views.leastBytesOf(filter);
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
      (key) => this.#views.dropIdle(key),
      (key) => this.#views.bytesOfKey(key),
    );
    return budget.subscriptions;
  }

  /**
   * Lets go of a feed if nobody is subscribed to it. Its view stays a while, for those who come back, and
   * `owner` is charged for it.
   */
  dismiss(feed: Feed<Holder>, now: number, owner?: IdleViewOwner): void {
    if (feed.size > 0 || !this.#feeds.delete(feed.view)) return;
    this.#views.release(feed.view, now, owner);
    this.#wake();
  }

  /** Lets go of a feed that was made for somebody who may not have it, and of its view. */
  discard(feed: Feed<Holder>): void {
    if (feed.size === 0 && this.#feeds.delete(feed.view)) this.#views.drop(feed.view);
  }

  /** A socket of the user of a budget is gone. */
  releaseBudget(budget: UserBudget, now: number): void {
    this.budgets.release(budget, now);
    const due = this.budgets.next();
    if (due !== undefined) this.#options.wakeBy(due);
  }

  /**
   * Sends what has become of the changes so far, as far as the views' rests and this turn of the event loop allow. To be
   * called after a batch.
   */
  settle(now: number): void {
    this.#serve(now);
    this.#wake();
  }

  /** Does what is due, or a good part of it: `next` tells whether there is more. */
  run(now: number): void {
    const each = (act: (session: HeldSession) => void) => (session: HeldSession) =>
      this.#guard(() => act(session));
    this.#typing.forEachDue(
      now,
      MAX_DUE_PER_TURN,
      each((session) => this.update(session, { isTyping: false }, now)),
    );
    if (this.#mayGiveUp(now)) {
      this.#lost.forEachDue(
        now,
        MAX_DUE_PER_TURN,
        each((session) => this.end(session, "timeout", now)),
      );
    }
    this.#left.forEachDue(
      now,
      MAX_DUE_PER_TURN,
      each((session) => this.end(session, "closed", now)),
    );
    this.#views.expireIdle(now);
    this.budgets.expire(now);
    this.settle(now);
  }

  /** When `run` next has something to do. */
  next(): number {
    const lost = this.#mayGiveUp(this.#options.clock.now()) ? this.#lost.next() : undefined;
    return Math.min(
      this.#typing.next() ?? Number.POSITIVE_INFINITY,
      lost ?? Number.POSITIVE_INFINITY,
      this.#left.next() ?? Number.POSITIVE_INFINITY,
      this.#views.next() ?? Number.POSITIVE_INFINITY,
      this.budgets.next() ?? Number.POSITIVE_INFINITY,
    );
  }

  /** Goes on with large views that are being made, a little at a time, so that others are served between. */
  #collect(): void {
    if (this.#collecting !== undefined || !this.#views.isCollecting) return;
    this.#collecting = setImmediate(() => {
      this.#collecting = undefined;
      this.#guard(() => {
        const collected = this.#views.collectMore();
        if (collected !== undefined) this.#collected(collected);
        this.settle(this.#options.clock.now());
      });
      this.#collect();
    });
  }

  /**
   * Flushes what is ready and delivers what is under way, in turns: a view that is ready does not wait for
   * a delivery to thousands, nor for that of a large diff.
   */
  #serve(now: number): void {
    const { flushTurn } = this.#options;
    while (!this.#views.isAtRest || this.#publishing.size > 0) {
      if (flushTurn.isSpent) return flushTurn.onNextTurn(this.#goOn);
      const view = this.#views.takeReady(now);
      if (view !== undefined) this.#flush(view, now);
      const [publishing] = this.#publishing;
      if (publishing !== undefined) this.#deliver(...publishing, now);
      else if (view === undefined) return;
    }
  }

  readonly #goOn = (): void => this.settle(this.#options.clock.now());

  #flush(view: View<Holder>, now: number): void {
    const { telemetry, flushTurn } = this.#options;
    let flush: Flush;
    try {
      flush = view.flush();
    } catch (error) {
      // Nothing has changed: it is tried again, and other views are served meanwhile.
      telemetry.crashed(error);
      return this.#views.rest(view, FAILED_FLUSH_REST_MS, now);
    }
    const { diff, changes, errors } = flush;
    if (errors.length > 0) telemetry.crashed(errors[0]);
    if (diff !== undefined) {
      telemetry.diffs++;
      telemetry.observeDiffDelay(now - view.markedAt);
    }
    const costMs = flushCostMs(changes, diff?.text.length ?? 0);
    flushTurn.spend(costMs);
    this.#views.flushed(view, costMs);
    const feed = this.#feeds.get(view);
    feed?.publish(diff);
    if (diff === undefined) this.#views.rest(view, view.hasLeftOut ? FAILED_FLUSH_REST_MS : 0, now);
    else if (feed === undefined) this.#rest(view, costMs, this.#views.ownerOf(view), now);
    else this.#deliver(feed, costMs, now);
  }

  /**
   * Sends a diff to some more subscribers, then it is the next one's turn; when all have it, its view
   * rests.
   */
  #deliver(feed: Feed<Holder>, costMs: number, now: number): void {
    const { flushTurn } = this.#options;
    this.#publishing.delete(feed);
    const spentMs = feed.deliverSome(Math.min(DELIVER_AT_ONCE_MS, flushTurn.leftMs));
    flushTurn.spend(spentMs);
    if (feed.isPublishing) return void this.#publishing.set(feed, costMs + spentMs);
    this.#rest(feed.view, costMs + spentMs, feed.payer, now);
  }

  /**
   * Has a view rest in proportion to what its flush has cost. The views that one user watches alone, or has
   * let go of last, share what one view may take: until somebody else watches one of them.
   */
  #rest(view: View<Holder>, costMs: number, payer: FlushPayer | undefined, now: number): void {
    const { diffIntervalMs } = this.#options.limits;
    let ownMs = costMs * (diffIntervalMs === 0 ? REST_PER_COST_AT_ONCE : REST_PER_COST);
    if (view.hasLeftOut) ownMs = Math.max(ownMs, FAILED_FLUSH_REST_MS);
    let restMs = ownMs;
    if (payer !== undefined) {
      payer.flushFreeAt = Math.max(now, payer.flushFreeAt) + costMs * REST_PER_PRIVATE_COST;
      restMs = Math.max(ownMs, payer.flushFreeAt - now);
    }
    const atLeast = (ms: number) =>
      ms > LONGEST_FREE_FLUSH_MS ? Math.max(ms, diffIntervalMs) : diffIntervalMs;
    const debt = payer && { payer, freeAt: now + atLeast(ownMs) };
    this.#views.rest(view, atLeast(restMs), now, debt);
  }

  #collected({ view, error }: Collected<Holder>): void {
    const feed = this.#feeds.get(view);
    if (error === undefined) return feed?.collected();
    this.#options.telemetry.crashed(error);
    this.#feeds.delete(view);
    feed?.fail(error);
  }

  /** A defect that shows with one session or view does not stop the others. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#options.telemetry.crashed(error);
    }
  }

  #put(session: HeldSession, state: SessionState, now: number): void {
    const change = this.table.update(session, state);
    if (change !== undefined) this.#note(change, now);
  }

  /** Nobody holds the session here any more, and no time is measured for it. */
  #forget(session: HeldSession): void {
    session.holder = undefined;
    this.#typing.delete(session);
    this.#lost.delete(session);
    this.#left.delete(session);
  }

  /**
   * For how long a session has had no socket; undefined: it has one, or another node has not said that it
   * has none.
   */
  #lostForMs(session: HeldSession, now: number): number | undefined {
    if (session.holder !== undefined) return undefined;
    if (this.#left.get(session) !== undefined) return Number.POSITIVE_INFINITY;
    const due = this.#lost.get(session);
    if (due !== undefined) return now - (due - this.#options.limits.resumeWindowMs);
    const { lostAt } = session.origin ?? {};
    return lostAt === undefined ? undefined : this.#wallNow() - lostAt;
  }

  #wallNow(): number {
    return Math.floor(this.#options.clock.wallNow());
  }

  #mayGiveUp(now: number): boolean {
    return this.#options.journal?.mayGiveUp(now) ?? true;
  }

  /** For a session of this node: opened after all of the user's that are known here, whatever the clocks of other nodes say. */
  #origin(userId: string): Origin | undefined {
    if (this.#options.journal === undefined) return undefined;
    const last = this.table.user(userId)?.sessions.at(-1)?.origin?.opened ?? 0;
    // What other nodes wrote may be as large as can be: then the session ids decide.
    const opened = Math.min(Math.max(this.#options.clock.wallNow(), last + 1), MAX_ORIGIN);
    return { opened, owner: undefined, term: 0, lostAt: undefined };
  }

  #note(change: Change<Holder>, now: number): void {
    this.#views.touch(change, now);
  }

  #startTyping(session: HeldSession, now: number): void {
    const due = now + this.#options.limits.typingTimeoutMs;
    this.#typing.set(session, due);
    this.#options.wakeBy(due);
  }

  #wake(): void {
    const next = this.#views.next();
    if (next !== undefined) this.#options.wakeBy(next);
  }
}

interface Lost {
  readonly session: HeldSession;
  readonly forMs: number;
}

function longerLost(one: Lost, other: Lost): Lost {
  return other.forMs > one.forMs ? other : one;
}
