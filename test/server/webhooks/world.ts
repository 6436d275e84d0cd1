import { expect } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { PresenceFilter } from "../../../src/protocol/wire.ts";
import type { WebhookConfig } from "../../../src/server/auth/webhook-config.ts";
import { Webhooks } from "../../../src/server/webhooks/webhooks.ts";
import type { Random } from "../../support/random.ts";
import { WEBHOOK_SECRET } from "../../support/webhook-receiver.ts";
import type { FakeNode } from "../cluster/fake-node.ts";
import { World } from "../cluster/world.ts";
import { FakeReceiver } from "./fake-receiver.ts";

/** So few that snapshots have pages, and diffs become snapshots. */
export const MAX_BODY_BYTES = 1_000;
const SLICE_MS = 50;
/** Of the log, so that reading it costs little. A node that was away for longer reads all rows. */
const KEPT_ENTRIES = 100;

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
