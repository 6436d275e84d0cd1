/** An app, as far as it matters where its sessions are. */
export interface ShardedApp {
  readonly id: string;
  /** Over how many shards its users are spread; 1 unless it is given. */
  readonly shards?: number | undefined;
}

/**
 * Which sessions are in which log. All of an app are in one shard, or for an app that is too large for one, in several, each user's in
 * one of them. It follows from the settings alone, so every node finds the same.
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

  /** Those that a node with these apps has to follow. */
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
