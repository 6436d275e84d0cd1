import { isDeepStrictEqual } from "node:util";
import { encodeSnapshotPage } from "../../src/protocol/codec.ts";
import type { Frame } from "../../src/server/gateway/frame.ts";
import { Frame as TextFrame } from "../../src/server/gateway/frame.ts";
import { SendQueue, type Sink } from "../../src/server/gateway/send-queue.ts";
import { type MessageEncoder, Subscription } from "../../src/server/gateway/subscription.ts";
import type { ViewChannel } from "../../src/server/gateway/view-channel.ts";
import { applyPatch } from "../support/apply-patch.ts";
import { TEST_OWNER, testPageTurns } from "../support/stubs.ts";
import type { CauseBook } from "./oracle.ts";

/**
 * A subscriber without a socket: it rebuilds the state from what it is sent, and holds every diff to the
 * contract.
 */
export class Reader implements Sink {
  readonly sendQueue: SendQueue;
  readonly filterKey: string;
  readonly subscription: Subscription;
  readonly #causes: CauseBook;
  view = "";
  version = -1;
  data: Record<string, unknown> = Object.create(null);
  #isSlow = false;
  #held: Frame[] = [];

  readonly #truth: () => Record<string, unknown>;

  /** `truth`: what a query would answer now. */
  constructor(
    channel: ViewChannel,
    filterKey: string,
    causes: CauseBook,
    truth: () => Record<string, unknown>,
    maxBytes: number,
    owner = TEST_OWNER,
  ) {
    this.#truth = truth;
    this.filterKey = filterKey;
    this.#causes = causes;
    this.sendQueue = new SendQueue(this, maxBytes, owner, testPageTurns());
    const encoder: MessageEncoder = {
      snapshot: (page, requestId) => new TextFrame(encodeSnapshotPage(requestId, page.body)),
      diff: (frame) => frame,
    };
    this.subscription = new Subscription(channel, { sendQueue: this.sendQueue, encoder, owner });
    channel.add(this.subscription);
  }

  get progress(): number {
    return 0;
  }

  get buffered(): number {
    return this.#held.reduce((sum, frame) => sum + frame.text.length, 0);
  }

  send(frame: Frame): boolean {
    this.#check(JSON.parse(frame.text));
    if (!this.#isSlow) this.take(frame.text);
    else this.#held.push(frame);
    return !this.#isSlow;
  }

  /** A slow reader takes nothing; when it reads again, it takes all that waits. */
  setSlow(isSlow: boolean): void {
    this.#isSlow = isSlow;
    if (isSlow) return;
    const held = this.#held;
    this.#held = [];
    for (const frame of held) this.take(frame.text);
    this.sendQueue.drained();
  }

  take(text: string): void {
    const message = JSON.parse(text);
    if (message.type === "snapshot") {
      this.view = message.view;
      this.version = message.version;
      this.data = Object.assign(Object.create(null), message.data);
      return;
    }
    if (message.view !== this.view) throw new Error(`diff of another view: ${text}`);
    if (message.version !== this.version + 1)
      throw new Error(`gap from ${this.version} to ${message.version}`);
    const entries = Object.entries(message.data);
    if (entries.length === 0) throw new Error("an empty diff");
    this.version = message.version;
    for (const [userId, value] of entries) {
      if (value === null) {
        if (!(userId in this.data)) throw new Error(`${userId} left, but was not there: ${text}`);
        delete this.data[userId];
      } else {
        const before = this.data[userId];
        const after = applyPatch(before, value);
        if (after !== value && !this.subscription.wantsPatches) throw new Error(`a patch: ${text}`);
        if (JSON.stringify(before) === JSON.stringify(after)) throw new Error(`nothing new: ${text}`);
        this.data[userId] = after;
      }
    }
  }

  /**
   * What holds at the time of sending: an answer is not older than its question, and a diff tells why users
   * left.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a message of either type
  #check(message: any): void {
    // What is marked is not in the state of the view yet: diffs follow.
    if (
      message.type === "snapshot" &&
      message.reason === undefined &&
      !this.subscription.channel.view.isMarked
    ) {
      const data = Object.assign(Object.create(null), message.data);
      if (!isDeepStrictEqual(data, this.#truth()))
        throw new Error(`a stale snapshot: ${JSON.stringify(message)}`);
    }
    if (message.type !== "diff") return;
    for (const [userId, value] of Object.entries(message.data)) {
      const cause = Object.hasOwn(message.causes ?? {}, userId) ? message.causes[userId] : undefined;
      const isRight =
        value === null ? this.#causes.isTrue(this.filterKey, userId, cause) : cause === undefined;
      if (!isRight) throw new Error(`cause ${cause} for ${userId} is wrong: ${JSON.stringify(message)}`);
    }
  }
}
