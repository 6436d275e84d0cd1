import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";
import { isBlank } from "../../../src/core/sessions/profile.ts";
import { FakeNode, type Sent } from "./fake-node.ts";
import { ModelLog } from "./model-log.ts";

const SLICE_MS = 50;

/** Nodes that share a log, and a clock that is turned by hand. */
export class World {
  readonly log: ModelLog;
  readonly nodes: FakeNode[] = [];
  /** Commands of links that were lost: they may be done at any later time. */
  zombies: { node: FakeNode; sent: Sent }[] = [];
  isFrozen = false;
  now = 1_000_000;
  #ids = 0;
  #names = 0;

  constructor(log = new ModelLog()) {
    this.log = log;
  }

  start(name = `n${this.#names++}`): FakeNode {
    const node = new FakeNode(name, this.log, this.now, () => `id${this.#ids++}`);
    this.nodes.push(node);
    node.connect();
    return node;
  }

  kill(node: FakeNode): void {
    this.zombies.push(...node.cut().map((sent) => ({ node, sent })));
    this.nodes.splice(this.nodes.indexOf(node), 1);
    this.log.killed(node.name);
  }

  cut(node: FakeNode): void {
    this.zombies.push(...node.cut().map((sent) => ({ node, sent })));
  }

  raise(count: number): void {
    for (const { node, sent } of this.zombies.splice(0, count)) node.execute(sent);
  }

  /** Moves what is on its way for a node, one thing of each kind for each number. */
  pump(node: FakeNode, rounds: number): void {
    for (let i = 0; i < rounds && !node.isPaused; i++) {
      node.step();
      if (this.isFrozen) return;
      node.serve();
      node.deliver();
      node.read(2);
    }
  }

  /** Everything that is on its way for everybody arrives. */
  flush(): void {
    for (let i = 0; i < 10_000; i++) {
      let isQuiet = true;
      for (const node of this.nodes) {
        if (node.isPaused) continue;
        node.step();
        if (node.link === undefined || this.isFrozen) continue;
        while (node.commands.length > 0) node.serve();
        while (node.replies.length > 0) {
          isQuiet = false;
          node.deliver();
        }
        const before = node.replicator.readAfter;
        node.read(Number.POSITIVE_INFINITY);
        if (node.replicator.readAfter !== before) isQuiet = false;
      }
      if (isQuiet) return;
    }
    throw new Error("it does not come to rest");
  }

  /** Lets time pass, while links work as well as they do. */
  advance(ms: number, pump: (node: FakeNode) => number): void {
    for (let left = ms; left > 0; left -= SLICE_MS) {
      const slice = Math.min(left, SLICE_MS);
      this.now += slice;
      for (const node of this.nodes) {
        if (node.isPaused) continue;
        node.now += slice;
        this.pump(node, pump(node));
        if (node.isLate) this.cut(node);
      }
    }
  }

  /** Everything works again, for so long. */
  heal(ms: number): void {
    this.isFrozen = false;
    this.log.isFull = false;
    this.raise(this.zombies.length);
    const end = this.now + ms;
    for (let longest = 20; this.now < end; longest = Math.min(longest + 10, 250)) {
      const slice = Math.min(longest, end - this.now);
      this.now += slice;
      for (const node of this.nodes) {
        node.isPaused = false;
        node.connect();
        node.now += slice;
      }
      this.flush();
    }
  }

  /** The rows of a node as clients see them, and the owners that it knows. */
  dump(node: FakeNode): Map<string, unknown> {
    const rows = new Map<string, unknown>();
    for (const session of node.appPresence.table.all()) {
      const { sessionId, user, kind, ownership } = session;
      const { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom } = session;
      const owner = ownership!.owner ?? node.name;
      rows.set(sessionId, {
        userId: user.userId,
        kind,
        state: { visible, selectedConversationId, hasFocus, isTyping, isIdle, custom: { ...custom } },
        opened: ownership!.opened,
        lostAt: ownership!.lostAt,
        node: owner.split("-")[0],
        order: user.sessions.map((each) => each.sessionId),
      });
    }
    return rows;
  }

  /** What users have declared, as a node knows it. When that was used is not the same to the millisecond. */
  statuses(node: FakeNode): Record<string, unknown> {
    const known = [...node.appPresence.table.profiles].filter(([, profile]) => !isBlank(profile));
    const said = known.map(([userId, { usedAt: _, ...profile }]) => [userId, profile]);
    return Object.assign(Object.create(null), Object.fromEntries(said));
  }

  /** All nodes show the same, and it is what the sockets hold and nothing else. */
  compare(): void {
    const [first, ...others] = this.nodes;
    if (first === undefined) return;
    const expected = this.dump(first);
    for (const node of others) {
      const rows = this.dump(node);
      if (!isDeepStrictEqual(sorted(rows), sorted(expected))) {
        expect(sorted(rows), `${node.name} beside ${first.name}`).toEqual(sorted(expected));
      }
    }
    const statuses = this.statuses(first);
    for (const node of others)
      expect(this.statuses(node), `${node.name} beside ${first.name}`).toEqual(statuses);
    const held = this.nodes.flatMap(({ name, socket }) => [...socket.held].map((id) => `${id} on ${name}`));
    const shown = [...expected].map(([id, row]) => `${id} on ${(row as { node: string }).node}`);
    expect(shown.sort()).toEqual(held.sort());
    expect([...this.log.rows.keys()].sort()).toEqual([...expected.keys()].sort());
  }
}

function sorted(rows: Map<string, unknown>): [string, unknown][] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Whom each node shows. */
export const users = (world: World) =>
  world.nodes.map((node) => [...node.appPresence.table.all()].map(({ user }) => user.userId).sort());

/** So many nodes that have joined. */
export function worldOf(count: number): World {
  const world = new World();
  for (let i = 0; i < count; i++) world.start();
  world.heal(100);
  return world;
}
