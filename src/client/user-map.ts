import type { PresenceSnapshot, PresenceValue } from "./types.ts";

/** A user's new value. null: the user leaves. */
export type UserChange = readonly [userId: string, value: PresenceValue | null];

/** A user in a search tree by id, in which no node has a higher rank than its parent. */
interface Node {
  readonly userId: string;
  readonly value: PresenceValue;
  /** Random, so that the tree is flat whatever the ids are. */
  readonly rank: number;
  readonly lower?: Tree;
  readonly higher?: Tree;
}

type Tree = Node | null | undefined;

/**
 * Users in the order of their ids, as `<` compares text. A version is never changed. The next one is made
 * from it and shares with it what is alike in both. That costs the size of the change times the depth of the
 * tree, in time and in memory. The depth grows with the logarithm of the number of users. An iteration copies
 * nothing.
 */
export class UserMap implements PresenceSnapshot {
  readonly size: number = 0;
  /** Characters of JSON in all values, with fields unknown to the client. */
  readonly weight: number = 0;
  readonly #tree: Tree;

  /** The users of the version before, but for these changes. */
  constructor(before?: UserMap, changes: Iterable<UserChange> = []) {
    if (before) {
      this.size = before.size;
      this.weight = before.weight;
      this.#tree = before.#tree;
    }
    for (const [userId, value] of changes) {
      const old = this.get(userId);
      if (value) this.size++;
      if (old) this.size--;
      this.weight += weightOf(value) - weightOf(old);
      this.#tree = put(this.#tree, userId, value);
    }
  }

  get(userId: string): PresenceValue | undefined {
    let node = this.#tree;
    while (node && node.userId !== userId) node = userId < node.userId ? node.lower : node.higher;
    return node?.value;
  }

  has(userId: string): boolean {
    return !!this.get(userId);
  }

  *entries(): MapIterator<[string, PresenceValue]> {
    const above: Node[] = [];
    let node = this.#tree;
    while (node || above[0]) {
      while (node) {
        above.push(node);
        node = node.lower;
      }
      const next: Node = above.pop()!;
      yield [next.userId, next.value];
      node = next.higher;
    }
    return undefined;
  }

  *keys(): MapIterator<string> {
    for (const [userId] of this) yield userId;
    return undefined;
  }

  *values(): MapIterator<PresenceValue> {
    for (const [, value] of this) yield value;
    return undefined;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  forEach(callback: (value: PresenceValue, userId: string, map: PresenceSnapshot) => void, self?: unknown) {
    for (const [userId, value] of this) callback.call(self, value, userId, this);
  }
}

/** The tree with a user's new value, or without the user. */
function put(tree: Tree, userId: string, value: PresenceValue | null): Tree {
  if (!tree) return value && { userId, value, rank: Math.random() };
  if (userId === tree.userId) return value ? { ...tree, value } : join(tree.lower, tree.higher);
  const isLower = userId < tree.userId;
  const side = isLower ? "lower" : "higher";
  const other = isLower ? "higher" : "lower";
  const child = put(tree[side], userId, value);
  return child && child.rank > tree.rank
    ? { ...child, [other]: { ...tree, [side]: child[other] } }
    : { ...tree, [side]: child };
}

/** One tree of two, all ids of the first being lower. */
function join(lower: Tree, higher: Tree): Tree {
  if (!lower || !higher) return lower ?? higher;
  return lower.rank > higher.rank
    ? { ...lower, higher: join(lower.higher, higher) }
    : { ...higher, lower: join(lower, higher.lower) };
}

function weightOf(value: PresenceValue | null | undefined): number {
  return value ? JSON.stringify(value).length : 0;
}
