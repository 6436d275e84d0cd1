import fc from "fast-check";
import { expect, it } from "vitest";
import { NODE_NUMBERS } from "../../../src/core/sessions/profile.ts";
import { isDefaultStatus, type Status } from "../../../src/core/sessions/status.ts";
import type { StatusPatch } from "../../../src/protocol/wire.ts";
import { fields, statusPatch, userId } from "../../model/arbitraries.ts";
import { runs, SEED } from "../../support/seed.ts";
import { type FakeNode, LEASE_MS, WINDOW_MS } from "./fake-node.ts";
import { ModelLog } from "./model-log.ts";
import { WorkersLog } from "./workers-log.ts";
import { World } from "./world.ts";

const pick = fc.nat({ max: 9 });
const speed = fc.constantFrom(0, 1, 2, 5);
const a = <T extends string>(name: T) => fc.constant(name);

/** What clients do. */
const doings = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: a("open"),
      node: pick,
      userId,
      kind: fc.constantFrom("background" as const, "widget" as const),
      fields,
    }),
  },
  { weight: 8, arbitrary: fc.record({ do: a("update"), session: pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: a("close"), session: pick }) },
  { weight: 2, arbitrary: fc.record({ do: a("lose"), session: pick }) },
  { weight: 6, arbitrary: fc.record({ do: a("resume"), session: pick, node: pick, fields }) },
  { weight: 1, arbitrary: fc.record({ do: a("kick"), node: pick, userId }) },
  {
    weight: 2,
    // The clocks of the nodes differ by more than such a status lasts.
    arbitrary: fc.record({
      do: a("declare"),
      node: pick,
      userId,
      patch: statusPatch.map(({ expiresInMs, ...patch }) => patch),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: a("race"),
      session: pick,
      node: pick,
      other: pick,
      isOtherFirst: fc.boolean(),
    }),
  },
);

const time = fc.record({
  do: a("advance"),
  ms: fc.constantFrom(10, 50, 300, 1_000),
  speeds: fc.tuple(speed, speed, speed, speed),
});

/** What happens to links and to the log, and must lose no session. */
const mishaps = fc.oneof(
  fc.record({ do: a("cut"), node: pick }),
  fc.record({ do: a("connect"), node: pick }),
  fc.record({ do: a("raise"), count: pick }),
  fc.record({ do: a("trim"), kept: pick }),
  fc.record({ do: a("freeze"), isFrozen: fc.boolean() }),
  fc.record({ do: a("fill"), isFull: fc.boolean() }),
);

/** What makes nodes take each other for dead, or forget. */
const disasters = fc.oneof(
  fc.record({ do: a("pause"), node: pick }),
  fc.record({ do: a("wake"), node: pick }),
  fc.record({ do: a("kill"), node: pick }),
  fc.record({ do: a("start") }),
  fc.record({ do: a("leave"), node: pick }),
  fc.record({ do: a("empty") }),
  fc.record({ do: a("save") }),
  fc.record({ do: a("restore"), isClockBack: fc.boolean() }),
  fc.record({ do: a("sleep"), ms: fc.constantFrom(LEASE_MS, WINDOW_MS, LEASE_MS + WINDOW_MS) }),
);

const mild = fc.oneof(
  { weight: 6, arbitrary: doings },
  { weight: 3, arbitrary: time },
  { weight: 1, arbitrary: mishaps },
);
const wild = fc.oneof({ weight: 10, arbitrary: mild }, { weight: 2, arbitrary: disasters });
type Arbitrary<T> = T extends fc.Arbitrary<infer U> ? U : never;
type Step = Arbitrary<typeof wild>;

/**
 * A window has to have so much left for a client to come back in: it takes so long until a dead link is
 * noticed.
 */
const MARGIN_MS = 3_500;

/** How wrong the wall clocks of the nodes are. Nobody may notice. */
const SKEWS_MS = [60_000, -60_000, 0, 3_600_000];

interface Known {
  readonly sessionId: string;
  lostAt: number | undefined;
}

interface Latest {
  readonly by: FakeNode | undefined;
  readonly version: number;
  readonly status: Status;
}

/** Does steps to a world, and remembers what clients believe. */
class Play {
  readonly world: World;
  readonly #sessions: Known[] = [];
  readonly #isMild: boolean;
  #restore: (isClockBack: boolean) => void = () => {};
  #cutAt = new Map<FakeNode, number>();
  #frozenAt = 0;
  /** By user, what was declared with the highest version. `by`: undefined if it may be lost. */
  readonly #latest = new Map<string, Latest>();
  /** Sessions that may end, because a client ended them. */
  readonly #ended = new Set<string>();

  constructor(nodes: number, isMild: boolean, log: ModelLog) {
    this.world = new World(log);
    this.#isMild = isMild;
    for (let i = 0; i < nodes; i++) this.#start();
    this.world.heal(100);
  }

  #start(): void {
    const { nodes } = this.world;
    this.world.start().skew = SKEWS_MS[nodes.length % SKEWS_MS.length]!;
  }

  do(step: Step): void {
    const { world } = this;
    const node = "node" in step ? world.nodes[step.node % world.nodes.length]! : undefined;
    const known =
      "session" in step ? this.#sessions[step.session % Math.max(1, this.#sessions.length)] : undefined;
    const before = this.#shown();
    switch (step.do) {
      case "open":
        if (node!.isPaused) break;
        {
          const { opened, evicted } = node!.openWithin(step.userId, step.kind, step.fields);
          for (const sessionId of evicted) this.#ended.add(sessionId);
          if (opened !== undefined) this.#sessions.push({ sessionId: opened, lostAt: undefined });
        }
        break;
      case "update":
        this.#atHolder(known, (holder, session) =>
          holder.transact((sessions) => sessions.update(session, step.fields)),
        );
        break;
      case "close":
        this.#atHolder(known, (holder, session) => {
          this.#ended.add(session.sessionId);
          holder.socket.held.delete(session.sessionId);
          holder.transact((sessions) => sessions.end(session, "closed"));
        });
        break;
      case "lose":
        this.#atHolder(known, (holder, session) => {
          known!.lostAt = world.now;
          holder.socket.held.delete(session.sessionId);
          holder.transact((sessions) => sessions.markDisconnected(session));
        });
        break;
      case "resume":
        if (known === undefined || node!.isPaused || node!.socket.held.has(known.sessionId)) break;
        if (known.lostAt !== undefined && world.now - known.lostAt > WINDOW_MS - MARGIN_MS) break;
        if (node!.resume(known.sessionId, step.fields)) known.lostAt = undefined;
        break;
      case "race":
        this.#race(known, node!, world.nodes[step.other % world.nodes.length]!, step.isOtherFirst);
        break;
      case "kick":
        if (node!.isPaused) break;
        for (const { sessionId } of node!.appPresence.table.user(step.userId)?.sessions ?? []) {
          this.#ended.add(sessionId);
        }
        node!.transact((sessions) => sessions.forceEndAll(step.userId));
        break;
      case "declare":
        if (node!.isPaused) break;
        node!.transact(({ profiles }) => profiles.declare(step.userId, step.patch as StatusPatch));
        this.#declared(node!, step.userId);
        break;
      case "advance":
        this.#advance(step.ms, (each) => step.speeds[world.nodes.indexOf(each) % step.speeds.length]!);
        break;
      case "sleep":
        world.advance(step.ms, () => 5);
        break;
      case "cut":
        world.cut(node!);
        break;
      case "connect":
        if (!world.isFrozen) node!.connect();
        break;
      case "raise":
        if (!world.isFrozen) world.raise(step.count);
        break;
      case "trim":
        world.log.trim(step.kept);
        break;
      case "freeze":
        world.isFrozen = step.isFrozen;
        this.#frozenAt = world.now;
        break;
      case "fill":
        world.log.isFull = step.isFull;
        break;
      case "pause":
        node!.isPaused = true;
        break;
      case "wake":
        node!.isPaused = false;
        break;
      case "kill":
        if (world.nodes.length > 1) this.#kill(node!);
        break;
      case "start":
        if (world.nodes.length < 4) this.#start();
        break;
      case "leave":
        if (world.nodes.length === 1 || node!.isPaused) break;
        for (const sessionId of node!.socket.held) {
          node!.transact((sessions) => sessions.markDisconnected(node!.appPresence.table.get(sessionId)!));
        }
        node!.replicator.leave();
        world.pump(node!, 20);
        this.#kill(node!);
        break;
      case "empty":
        world.log.lose();
        break;
      case "save":
        this.#restore = world.log.save();
        break;
      case "restore":
        for (const each of world.nodes) world.cut(each);
        this.#restore(step.isClockBack);
        break;
    }
    if (this.#isMild) this.#check(before);
  }

  end(): void {
    this.world.heal(LEASE_MS + 2 * WINDOW_MS + 10_000);
    this.world.compare();
    for (const node of this.world.nodes) {
      for (const [userId, { by, status }] of this.#latest) {
        // A reset is remembered for a time only, and by clocks that are wrong.
        if (by === undefined || isDefaultStatus(status)) continue;
        const profile = node.appPresence.table.profile(userId);
        expect(profile.status, `${userId} on ${node.name}`).toEqual(status);
      }
    }
  }

  /** The last writer wins: the one with the highest version, whatever nodes knew of each other. */
  #declared(by: FakeNode, userId: string): void {
    const { version, status } = by.appPresence.table.profile(userId);
    const before = this.#latest.get(userId);
    if (before !== undefined && before.version > version) return;
    // Of equal versions, and so of two changes in one millisecond, the log decides.
    const isClose = before !== undefined && before.by !== by && version - before.version < 2 * NODE_NUMBERS;
    this.#latest.set(userId, { by: isClose ? undefined : by, version, status });
  }

  /** What only this node knew dies with it. */
  #kill(node: FakeNode): void {
    this.world.kill(node);
    for (const [userId, latest] of this.#latest) {
      if (latest.by === node) this.#latest.set(userId, { ...latest, by: undefined });
    }
  }

  #advance(ms: number, pump: (node: FakeNode) => number): void {
    const { world } = this;
    world.advance(ms, (node) =>
      node.link !== undefined && pump(node) === 0 && world.isFrozen ? 1 : pump(node),
    );
    if (!this.#isMild) return;
    // No node is away for as long as a lease.
    if (world.isFrozen && world.now - this.#frozenAt > 20_000) world.isFrozen = false;
    for (const node of world.nodes) {
      if (node.link !== undefined || world.isFrozen) this.#cutAt.delete(node);
      else if (world.now - (this.#cutAt.get(node) ?? world.now) > LEASE_MS / 4) node.connect();
      else if (!this.#cutAt.has(node)) this.#cutAt.set(node, world.now);
    }
  }

  /**
   * Two nodes take a session over before they hear of each other: the one whose takeover comes later in the
   * log has it.
   */
  #race(known: Known | undefined, one: FakeNode, other: FakeNode, isOtherFirst: boolean): void {
    const { world } = this;
    if (known === undefined || one === other) return;
    world.heal(200);
    const both = isOtherFirst ? [other, one] : [one, other];
    const canResume = (node: FakeNode) =>
      node.appPresence.table.get(known.sessionId) !== undefined && !node.socket.held.has(known.sessionId);
    // After a disaster a healed world may still have to make up its mind.
    if (!both.every((node) => canResume(node) && node.replicator.isWhole)) return;
    const before = world.log.entries.length;
    for (const node of both) node.resume(known.sessionId, {});
    known.lostAt = undefined;
    for (const node of both) world.pump(node, 2);
    world.heal(200);
    const takeovers = new Map<string, number>();
    for (const [i, entry] of world.log.entries.slice(before).entries()) {
      if (entry.kind !== "batch" || !entry.records.includes(known.sessionId)) continue;
      const [name] = entry.writer.split("-");
      if (!takeovers.has(name!)) takeovers.set(name!, i);
    }
    // Nodes whose log was emptied write nothing until they have joined again.
    if (!this.#isMild && takeovers.size < 2) return;
    const [winner] = [...takeovers].sort(([, i], [, j]) => j - i)[0]!;
    const holders = world.nodes.filter(({ socket }) => socket.held.has(known.sessionId));
    expect(holders.map(({ name }) => name)).toEqual([winner]);
  }

  #atHolder(
    known: Known | undefined,
    act: (node: FakeNode, session: NonNullable<ReturnType<FakeNode["appPresence"]["table"]["get"]>>) => void,
  ): void {
    const holder = this.world.nodes.find(
      (node) => !node.isPaused && known !== undefined && node.socket.held.has(known.sessionId),
    );
    if (holder !== undefined) act(holder, holder.appPresence.table.get(known!.sessionId)!);
  }

  #shown(): Map<FakeNode, Set<string>> {
    const shown = new Map<FakeNode, Set<string>>();
    for (const node of this.world.nodes) {
      shown.set(node, new Set([...node.appPresence.table.all()].map(({ sessionId }) => sessionId)));
    }
    return shown;
  }

  /** What a socket holds, or a client may still come back for, leaves no table in which it was. */
  #check(before: Map<FakeNode, Set<string>>): void {
    for (const [node, sessionIds] of before) {
      for (const { sessionId, lostAt } of this.#sessions) {
        const isGone = sessionIds.has(sessionId) && node.appPresence.table.get(sessionId) === undefined;
        if (!isGone || this.#ended.has(sessionId)) continue;
        if (lostAt === undefined || this.world.now - lostAt < WINDOW_MS - MARGIN_MS) {
          throw new Error(`${sessionId} has left ${node.name}`);
        }
      }
    }
  }
}

const RUNS = Number(process.env.MODEL_RUNS ?? runs(300));

function play(steps: readonly Step[], nodes: number, isMild: boolean, log = new ModelLog()): void {
  const game = new Play(nodes, isMild, log);
  for (const step of steps) game.do(step);
  game.end();
}

it(`nobody leaves by mistake, and all agree (${RUNS} runs, MODEL_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(mild, { maxLength: 60, size: "max" }),
      fc.integer({ min: 2, max: 4 }),
      (steps, nodes) => play(steps as Step[], nodes, true),
    ),
    {
      numRuns: RUNS,
      seed: SEED,
      ...(process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH, endOnFailure: true }),
    },
  );
}, 600_000);

it(`whatever happens, all agree in the end (${RUNS} runs, MODEL_SEED=${SEED})`, () => {
  fc.assert(
    fc.property(
      fc.array(wild, { maxLength: 60, size: "max" }),
      fc.integer({ min: 1, max: 4 }),
      (steps, nodes) => play(steps, nodes, false),
    ),
    {
      numRuns: RUNS,
      seed: SEED,
      ...(process.env.MODEL_PATH === undefined ? {} : { path: process.env.MODEL_PATH, endOnFailure: true }),
    },
  );
}, 600_000);

it.each([
  ["nobody leaves by mistake", mild, true],
  ["whatever happens", wild, false],
] as const)(
  `with the log of workers all agree: %s (${RUNS} runs, MODEL_SEED=${SEED})`,
  (_, step, isMild) => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60, size: "max" }),
        fc.integer({ min: isMild ? 2 : 1, max: 4 }),
        (steps, nodes) => play(steps as Step[], nodes, isMild, new WorkersLog()),
      ),
      { numRuns: RUNS, seed: SEED },
    );
  },
  600_000,
);

it("notices a new log that happens to have as many entries as the one it replaces", () => {
  const open = { do: "open", node: 3, userId: "alice", kind: "background", fields: {} } as const;
  const steps = [
    { do: "start" },
    { do: "empty" },
    open,
    { do: "advance", ms: 10, speeds: [0, 5, 0, 0] },
    { do: "trim", kept: 0 },
  ] as const;
  play(steps as readonly unknown[] as Step[], 1, false);
});

it("writes a change again that a full Redis refused, though the entry that says so was trimmed", () => {
  const open = { do: "open", userId: "alice", kind: "background", fields: {} } as const;
  const steps = [
    { ...open, node: 0 },
    { ...open, node: 8 },
    { do: "advance", ms: 10, speeds: [2, 0, 1, 0] },
    { do: "update", session: 4, fields: { custom: { page: "" } } },
    { do: "trim", kept: 0 },
    { do: "fill", isFull: true },
    { do: "advance", ms: 10, speeds: [2, 0, 0, 0] },
  ] as const;
  play(steps as readonly unknown[] as Step[], 3, true);
});
