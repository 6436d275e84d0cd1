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
  readonly #byApp: ReadonlyMap<string, readonly number[]>;

  constructor(count: number, apps: Iterable<ShardedApp>) {
    this.#byApp = new Map(
      Array.from(apps, ({ id, shards = 1 }) => {
        const first = hash(id);
        return [id, Array.from({ length: shards }, (_, i) => (first + i) % count)];
      }),
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
