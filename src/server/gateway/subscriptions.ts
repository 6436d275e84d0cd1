import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { cursorBytes, filterBytes } from "../../core/views/view-size.ts";
import {
  encodeCountPage,
  encodeMessage,
  encodeResultPage,
  encodeSnapshotPage,
} from "../../protocol/codec.ts";
import type { Message } from "../../protocol/messages.ts";
import { allowFilter } from "../auth/allowed-filter.ts";
import { mayWatch, type Principal } from "../auth/principal.ts";
import type { AppPresence } from "./app-presence.ts";
import { Frame } from "./frame.ts";
import { MAX_LONG_RESULTS, MAX_UNANSWERED } from "./gateway-config.ts";
import type { Reply } from "./reply.ts";
import { ResultPages } from "./result-pages.ts";
import type { SendQueue } from "./send-queue.ts";
import { SHORT_OF_MEMORY } from "./socket-sessions.ts";
import type { LongAnswers, MessageEncoder, Subscription, SubscriptionOwner } from "./subscription.ts";
import type { SubscriptionCharges } from "./subscription-charges.ts";
import type { UserBudget } from "./user-budget.ts";

/** WebSockets get diffs unchanged, and snapshots and counts with the id of the request that they answer. */
const ENCODER: MessageEncoder = {
  snapshot: ({ body, isCount }, requestId) =>
    new Frame(isCount ? encodeCountPage(requestId, body) : encodeSnapshotPage(requestId, body)),
  diff: (frame) => frame,
};

const TOO_MUCH = "the subscriptions and waiting queries of the user, over all sockets, keep too much already";

/** The subscriptions and queries of one socket, and the messages about them. */
export class Subscriptions {
  readonly #presence: AppPresence;
  readonly #sendQueue: SendQueue;
  readonly #reply: Reply;
  readonly #owner: SubscriptionOwner;
  readonly #maxSubscriptions: number;
  /**
   * The charges of the user, including flushes of views without other subscribers; undefined for an app
   * token.
   */
  readonly #charges: SubscriptionCharges | undefined;
  readonly #byView = new Map<string, Subscription>();
  /** Bytes charged for the waiting queries of this socket. */
  #queryBytes = 0;
  /** Bytes charged for the long answer under way to this socket; there is one at a time. */
  #answerBytes = 0;
  readonly #retry = () => this.#sendQueue.wake();
  readonly #answers: LongAnswers = {
    begin: (view) => this.#beginAnswer(this.#presence.liveViews.views.snapshotBytesOf(view)),
    end: () => this.#endAnswer(),
  };

  constructor(
    presence: AppPresence,
    sendQueue: SendQueue,
    reply: Reply,
    owner: SubscriptionOwner,
    maxSubscriptions: number,
    budget: UserBudget,
  ) {
    this.#presence = presence;
    this.#sendQueue = sendQueue;
    this.#reply = reply;
    this.#owner = owner;
    this.#maxSubscriptions = maxSubscriptions;
    this.#charges = presence.chargesOf(budget);
  }

  subscribe(message: Message<"subscribe">, principal: Principal): void {
    const { id, since } = message;
    const filter = this.#allowedFilter(message, principal);
    if (filter === undefined) return;
    let subscription = this.#find(filter);
    if (subscription === undefined) {
      if (this.#byView.size >= this.#maxSubscriptions) {
        const limit = `a socket has at most ${this.#maxSubscriptions} subscriptions`;
        return this.#reply.error(id, "LIMIT_REACHED", limit);
      }
      const added = this.#add(filter);
      if (typeof added === "string") return this.#reply.error(id, "LIMIT_REACHED", added);
      subscription = added;
    } else if (subscription.unanswered >= MAX_UNANSWERED) {
      const limit = "snapshots of this subscription are under way already, wait for them";
      return this.#reply.error(id, "LIMIT_REACHED", limit);
    }
    // Of several on one socket, the last one decides.
    subscription.wantsPatches = message.patch ?? false;
    const missed = message.count ? undefined : since && subscription.missedSince(since.view, since.version);
    if (since === undefined || missed === undefined) return subscription.requestSnapshot(id);
    this.#reply.send({ type: "resumed", id, view: since.view, version: since.version });
    subscription.deliverMissed(missed);
  }

  unsubscribe(message: Message<"unsubscribe">, now: number): void {
    const subscription = this.#byView.get(message.view);
    if (subscription === undefined) {
      return this.#reply.error(message.id, "NOT_FOUND", "this socket has no subscription to that view");
    }
    for (const id of this.#end(subscription, now)) {
      this.#reply.error(id, "NOT_FOUND", "the subscription ended before its snapshot was sent");
    }
    this.#reply.ok(message.id);
  }

  query(message: Message<"query">, principal: Principal): void {
    const { id } = message;
    const filter = this.#allowedFilter(message, principal);
    if (filter === undefined) return;
    if (this.#sendQueue.pagedResponses >= MAX_LONG_RESULTS + this.#maxSubscriptions) {
      const limit = "too many long answers are under way to this socket, read them first";
      return this.#reply.error(id, "LIMIT_REACHED", limit);
    }
    // A waiting query keeps only its filter.
    const bytes = filterBytes(filter);
    if (this.#charges?.reserve(bytes) === false) return this.#reply.error(id, "LIMIT_REACHED", TOO_MUCH);
    this.#queryBytes += bytes;
    // Computed only once the answers before it were sent, so waiting queries cost next to nothing.
    let pages: ResultPages | undefined;
    this.#sendQueue.start({
      step: () => {
        if (pages === undefined) {
          if (!this.#beginAnswer(cursorBytes(filter, this.#presence.table))) return "waiting";
          pages = new ResultPages(filter, this.#presence.table);
        }
        if (filter.isCount) {
          const users = pages.tryCount();
          if (users === undefined) return "more";
          this.#sendQueue.send(new Frame(encodeMessage({ type: "count", id, users })));
        } else {
          const page = pages.tryNextPage();
          if (page === undefined) return "more";
          this.#sendQueue.send(new Frame(encodeResultPage(id, page.members, page.more)));
          if (page.more) return "more";
        }
        this.#endAnswer();
        this.#giveBack(bytes);
        return "done";
      },
    });
  }

  /** Ends the subscriptions that a new token does not allow. */
  recheck(principal: Principal, now: number): void {
    for (const subscription of [...this.#byView.values()]) {
      const { view } = subscription.channel;
      if (mayWatch(principal, view.filter)) continue;
      for (const id of this.#end(subscription, now)) {
        this.#reply.error(id, "FORBIDDEN", "the new token does not allow this filter");
      }
      const message = "the new token does not allow this subscription, it has ended";
      this.#reply.send({ type: "error", code: "FORBIDDEN", message, view: view.name });
    }
  }

  endAll(now: number): void {
    for (const subscription of [...this.#byView.values()]) this.#end(subscription, now);
    this.#giveBack(this.#queryBytes);
    this.#charges?.cancelRetry(this.#retry);
    this.#endAnswer();
  }

  #find(filter: CompiledFilter): Subscription | undefined {
    for (const subscription of this.#byView.values()) {
      if (subscription.channel.view.filter.key === filter.key) return subscription;
    }
    return undefined;
  }

  /** Subscribes to a filter, or returns the reason why that is not possible. */
  #add(filter: CompiledFilter): Subscription | string {
    const { liveViews, isShortOfMemory } = this.#presence;
    if (isShortOfMemory && liveViews.views.find(filter) === undefined) return SHORT_OF_MEMORY;
    const subscription = liveViews.attach(filter, {
      sendQueue: this.#sendQueue,
      encoder: ENCODER,
      owner: this.#owner,
      charges: this.#charges,
      answers: this.#answers,
    });
    if (subscription === undefined) return TOO_MUCH;
    this.#byView.set(subscription.channel.view.name, subscription);
    return subscription;
  }

  /** Returns the ids of the requests that stay without an answer. */
  #end(subscription: Subscription, now: number): readonly number[] {
    this.#byView.delete(subscription.channel.view.name);
    return this.#presence.liveViews.detach(subscription, now);
  }

  /**
   * Whether a long answer that holds `bytes` bytes may begin. If not, it waits until another answer of the
   * user ends.
   */
  #beginAnswer(bytes: number): boolean {
    if (bytes === 0 || this.#charges === undefined) return true;
    if (!this.#charges.beginAnswer(bytes, this.#retry)) return false;
    this.#answerBytes = bytes;
    return true;
  }

  #endAnswer(): void {
    const bytes = this.#answerBytes;
    this.#answerBytes = 0;
    if (bytes > 0) this.#charges!.endAnswer(bytes);
  }

  #giveBack(queryBytes: number): void {
    this.#queryBytes -= queryBytes;
    this.#charges?.giveBack(queryBytes);
  }

  #allowedFilter(
    message: Message<"subscribe"> | Message<"query">,
    principal: Principal,
  ): CompiledFilter | undefined {
    const { id, filter, count } = message;
    const allowed = allowFilter(this.#presence.app, principal, filter, count);
    if (allowed.ok) return allowed.filter;
    if (allowed.code === "FORBIDDEN") this.#reply.error(id, allowed.code, allowed.message);
    else {
      const { path, message: problem } = allowed.issue;
      const issue = { path: `filter.${path}`, message: problem };
      // Clients that show the message alone, as the SDK does, have the reason too.
      this.#reply.badMessage(id, `the filter cannot be answered: ${path} ${problem}`, [issue]);
    }
    return undefined;
  }
}
