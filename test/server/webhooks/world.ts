import { expect } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import type { PresenceFilter } from "../../../src/protocol/wire.ts";
import type { WebhookConfig } from "../../../src/server/auth/webhook-config.ts";
import type { Attempt, AttemptResult, WebhookRequest } from "../../../src/server/webhooks/send-webhook.ts";
import { Webhooks } from "../../../src/server/webhooks/webhooks.ts";
import type { Random } from "../../support/random.ts";
import { WEBHOOK_SECRET, WebhookCopy } from "../../support/webhook-receiver.ts";
import { type FakeNode, World } from "../cluster/world.ts";

/** So few that snapshots have pages, and diffs become snapshots. */
export const MAX_BODY_BYTES = 1_000;
const TIMEOUT_MS = 10_000;
const SLICE_MS = 50;
/** Of the log, so that reading it costs little. A node that was away for longer reads all rows. */
const KEPT_ENTRIES = 100;

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

export interface WebhookUnderTest {
  readonly config: WebhookConfig;
  readonly filter: PresenceFilter;
  readonly receiver: FakeReceiver;
}

/** Nodes of a cluster with webhooks, and their receivers, on one simulated clock. */
export class WebhookWorld {
  readonly world = new World();
  readonly hooks: readonly WebhookUnderTest[];
  readonly #webhooks = new Map<FakeNode, Webhooks>();
  readonly #random: Random;
  #ids = 0;

  constructor(random: Random, hooks: readonly { config: Partial<WebhookConfig>; filter: PresenceFilter }[]) {
    this.#random = random;
    this.hooks = hooks.map(({ config, filter }, i) => ({
      config: {
        id: `hook${i}`,
        url: `https://receiver.example/${i}`,
        secrets: [WEBHOOK_SECRET],
        filter: FilterSchema.parse(filter),
        ...config,
      },
      filter,
      receiver: new FakeReceiver(random),
    }));
  }

  webhooksOf(node: FakeNode): Webhooks {
    return this.#webhooks.get(node)!;
  }

  start(): FakeNode {
    const node = this.world.start();
    const webhooks = new Webhooks({
      clock: { now: () => node.now, wallNow: () => node.now + node.skew },
      makeId: () => `m${this.#ids++}`,
      random: () => this.#random.next(),
      send: (request) => {
        const hook = this.hooks.find(({ config }) => config.url === request.url)!;
        return hook.receiver.take(request, this.world.now);
      },
      termOf: () => node.replicator.leadership.term,
      rivalUntil: () => node.replicator.leadership.rivalUntil,
      log: { info: () => {}, warn: () => {} },
      crashed: (error) => expect.fail(String(error)),
      maxBodyBytes: MAX_BODY_BYTES,
    });
    webhooks.apply(
      node.appPresence,
      this.hooks.map(({ config }) => config),
    );
    this.#webhooks.set(node, webhooks);
    return node;
  }

  kill(node: FakeNode): void {
    this.world.kill(node);
    // What is under way may still arrive. Nobody waits for the answers.
    this.#webhooks.get(node)!.stop();
    this.#webhooks.delete(node);
  }

  /** The nodes that deliver. */
  leaders(): FakeNode[] {
    return this.world.nodes.filter(({ replicator }) => replicator.leadership.term !== undefined);
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= SLICE_MS) {
      this.world.advance(SLICE_MS, () => 3);
      for (const { receiver } of this.hooks) receiver.run(this.world.now);
      await microtasks();
      for (const node of this.world.nodes) if (!node.isPaused) this.webhooksOf(node).run(node.now);
      // A receiver answers in the slice in which a message arrives.
      for (const { receiver } of this.hooks) receiver.run(this.world.now);
      await microtasks();
    }
    this.world.log.trim(KEPT_ENTRIES);
  }

  /** What a node answers to a filter. */
  query(node: FakeNode, filter: PresenceFilter): Map<string, unknown> {
    const users = new Map<string, unknown>();
    const compiled = new CompiledFilter(FilterSchema.parse(filter), {
      showsInvisible: filter.includeInvisible === true,
    });
    compiled.forEachUser(node.appPresence.table, (user) => {
      const entry = JSON.parse(`{${user.encodedEntry(compiled)}}`);
      for (const [id, value] of Object.entries(entry)) users.set(id, value);
    });
    return users;
  }

  /** Every copy is what the nodes answer. */
  expectCopies(): void {
    for (const { config, filter, receiver } of this.hooks) {
      const expected = this.query(this.world.nodes[0]!, filter);
      if (config.count) expect(receiver.copy.count, config.id).toBe(expected.size);
      else expect(plain(receiver.copy.users), config.id).toEqual(plain(expected));
    }
  }

  isRight(): boolean {
    try {
      this.expectCopies();
      return true;
    } catch {
      return false;
    }
  }

  stop(): void {
    for (const webhooks of this.#webhooks.values()) webhooks.stop();
  }
}

function plain(users: ReadonlyMap<string, unknown>): unknown[] {
  return [...users].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Lets everything happen that waits for promises, and no timer. */
export async function microtasks(): Promise<void> {
  for (let i = 0; i < 4; i++) await Promise.resolve();
}
