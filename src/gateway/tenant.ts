import type { App } from "../auth/app.ts";
import type { EndCause } from "../protocol/codes.ts";
import {
  type Custom,
  MAX_ORIGIN,
  NEW_SESSION,
  type Origin,
  patchState,
  type Session,
  type SessionKind,
  type SessionPatch,
  type SessionState,
} from "../sessions/session.ts";
import { type Change, Table } from "../sessions/table.ts";
import type { Clock } from "../shared/clock.ts";
import { Deadlines } from "../shared/deadlines.ts";
import { TokenBucket } from "../shared/token-bucket.ts";
import type { CompiledFilter } from "../views/compiled-filter.ts";
import type { View } from "../views/view.ts";
import { Views } from "../views/views.ts";
import { Feed } from "./feed.ts";
import type { Journal } from "./journal.ts";
import { type Limits, MAX_DUE_PER_TURN } from "./limits.ts";
import type { Telemetry } from "./telemetry.ts";

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
  readonly state: SessionState;
}

export interface TenantOptions {
  readonly limits: Limits;
  readonly telemetry: Telemetry;
  readonly makeId: () => string;
  readonly clock: Clock;
  /** Called when something of this tenant will be due at a time. */
  readonly wakeBy: (due: number) => void;
  /** Where other nodes read of what happens here; undefined: there are none. */
  readonly journal?: Journal | undefined;
}

/**
 * All that belongs to one app, and the one door through which its table is written. Every method that changes sessions
 * takes the time, tells the views, and expects `settle` to be called once after a batch of them.
 */
export class Tenant {
  readonly app: App;
  readonly table = new Table<Holder>();
  readonly httpRate: TokenBucket;
  readonly #views: Views<Holder>;
  readonly #feeds = new Map<View<Holder>, Feed<Holder>>();
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
      typing: this.#typing.size,
      lost: this.#lost.size,
      left: this.#left.size,
      sockets: this.sockets,
      subscriptions: this.subscriptions,
    };
  }

  /** Opens a session with a fresh id. */
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
    // Under a partition the session may have been at another node meanwhile, so the epoch also advances for this node's own.
    origin.term = Math.min(origin.term + 1, MAX_ORIGIN);
    this.#options.journal?.claimed(session);
  }

  /** The custom fields that a session would have after a patch: for checking bounds before it is made. */
  customAfter(session: HeldSession | undefined, patch: SessionPatch): Custom {
    return patchState(session ?? NEW_SESSION, { custom: patch.custom }).custom;
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
    const due = now + this.#options.limits.resumeWindowMs;
    this.#lost.set(session, due);
    this.#options.wakeBy(due);
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
    const { userId, kind, opened, term, state } = remote;
    const session = this.table.get(sessionId);
    if (session === undefined) {
      const origin = { opened, owner, term };
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

  /** Lets go of a feed if nobody is subscribed to it. Its view stays a while, for those who come back. */
  dismiss(feed: Feed<Holder>, now: number): void {
    if (feed.size > 0 || !this.#feeds.delete(feed.view)) return;
    this.#views.release(feed.view, now);
    this.#wake();
  }

  /** Sends what has become of the changes so far, as far as the views' intervals allow. To be called after a batch. */
  settle(now: number): void {
    for (const { view, diff } of this.#views.flush(now)) {
      if (diff !== undefined) {
        this.#options.telemetry.diffs++;
        this.#options.telemetry.observeDiffDelay(now - view.markedAt);
      }
      this.#feeds.get(view)?.flushed(diff);
    }
    this.#wake();
  }

  /** Does what is due, or a good part of it: `next` tells whether there is more. */
  run(now: number): void {
    this.#typing.forEachDue(now, MAX_DUE_PER_TURN, (session) => {
      this.update(session, { isTyping: false }, now);
    });
    if (this.#mayGiveUp(now)) {
      this.#lost.forEachDue(now, MAX_DUE_PER_TURN, (session) => this.end(session, "timeout", now));
    }
    this.#left.forEachDue(now, MAX_DUE_PER_TURN, (session) => this.end(session, "closed", now));
    this.#views.expireIdle(now);
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
    );
  }

  /** Goes on with large views that are being made, a little at a time, so that others are served between. */
  #collect(): void {
    if (this.#collecting !== undefined || !this.#views.isCollecting) return;
    this.#collecting = setImmediate(() => {
      this.#collecting = undefined;
      try {
        if (this.#views.collectMore() !== undefined) this.settle(this.#options.clock.now());
      } catch (error) {
        this.#options.telemetry.crashed(error);
      }
      this.#collect();
    });
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

  #mayGiveUp(now: number): boolean {
    return this.#options.journal?.mayGiveUp(now) ?? true;
  }

  /** For a session of this node: opened after all of the user's that are known here, whatever the clocks of other nodes say. */
  #origin(userId: string): Origin | undefined {
    if (this.#options.journal === undefined) return undefined;
    const last = this.table.user(userId)?.sessions.at(-1)?.origin?.opened ?? 0;
    // What other nodes wrote may be as large as can be: then the session ids decide.
    const opened = Math.min(Math.max(this.#options.clock.wallNow(), last + 1), MAX_ORIGIN);
    return { opened, owner: undefined, term: 0 };
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
