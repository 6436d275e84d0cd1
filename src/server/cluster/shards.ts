/** What of an app decides in which shards its sessions are. */
export interface ShardedApp {
  readonly id: string;
  /** Over how many shards its users are spread; 1 by default. */
  readonly shards?: number | undefined;
}

/**
 * Which sessions are in which shard. All sessions of an app are in one shard, unless `shards` spreads it
 * over several. All sessions of a user are in one of them. The settings alone decide, so all nodes agree.
 */
export class Shards {
  readonly #count: number;
  readonly #byApp = new Map<string, readonly number[]>();

  constructor(count: number, apps: Iterable<ShardedApp>) {
    this.#count = count;
    for (const app of apps) this.add(app);
  }

  /** One more app. There is no way back: what was written about an app that has gone is still on its way. */
  add({ id, shards = 1 }: ShardedApp): void {
    const first = hash(id);
    this.#byApp.set(
      id,
      Array.from({ length: shards }, (_, i) => (first + i) % this.#count),
    );
  }

  /** The shards that a node with these apps has to follow. */
  get used(): ReadonlySet<number> {
    return new Set([...this.#byApp.values()].flat());
  }

  of(appId: string): readonly number[] {
    return this.#byApp.get(appId) ?? [];
  }

  find(appId: string, userId: string): number | undefined {
    const shards = this.of(appId);
    return shards.length > 1 ? shards[hash(userId) % shards.length] : shards[0];
  }
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
