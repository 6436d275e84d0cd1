import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Session } from "../../../src/core/sessions/session.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { HYDRATE_AT_ONCE } from "../../../src/core/views/view-size.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { App } from "../../../src/server/auth/app.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import type { SessionLife } from "../../../src/server/gateway/session-life.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { CauseBook } from "../../model/oracle.ts";
import { Reader } from "../../model/reader.ts";
import { Random } from "../../support/random.ts";
import { seeds } from "../../support/seed.ts";
import { endlessTurn, TEST_OWNER, testTelemetry } from "../../support/stubs.ts";

// A defect that shows while one user, view or subscriber is served changes nothing for the others, and leaves
// no state behind that differs from what was sent. The defects are made here: functions throw.

const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
const connection = { onSessionTaken: () => {} };
const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

class World {
  now = 1_000;
  readonly crashes: unknown[] = [];
  readonly presence: AppPresence;
  #ids = 0;

  constructor() {
    this.presence = new AppPresence(new App({ id: "app", secrets: ["x"] }), {
      limits,
      telemetry: testTelemetry((error) => void this.crashes.push(error)),
      makeId: () => `id${this.#ids++}`,
      clock: { now: () => this.now, wallNow: () => this.now },
      wakeBy: () => {},
      flushTurn: endlessTurn(),
    });
  }

  open(userId: string, kind: "widget" | "background" = "widget"): Session {
    return this.presence.transact(this.now, (sessions) => sessions.open(userId, kind, {}, connection));
  }

  transact(act: (sessions: SessionLife) => void): void {
    this.presence.transact(this.now, act);
  }

  update(session: Session, hasFocus: boolean): void {
    this.transact((sessions) => sessions.update(session, { hasFocus }));
  }

  /** A subscriber that checks every message; `onFailure` is called when it cannot be served any more. */
  subscribe(filter: unknown, onFailure = TEST_OWNER.onFailure): Reader {
    const truth = () => this.query(filter);
    const causes = new CauseBook();
    causes.isTrue = () => true;
    const channel = this.presence.liveViews.channel(compile(filter));
    const reader = new Reader(channel, "0", causes, truth, 1_000_000, { onBacklog: () => {}, onFailure });
    reader.subscription.requestSnapshot(1);
    return reader;
  }

  unsubscribe({ subscription }: Reader): void {
    const { channel } = subscription;
    channel.remove(subscription);
    this.presence.liveViews.releaseChannel(channel, this.now);
  }

  query(filter: unknown): Record<string, unknown> {
    const compiled = compile(filter);
    const members: string[] = [];
    compiled.forEachUser(this.presence.table, (user) => members.push(user.encodedEntry(compiled)));
    return Object.assign(Object.create(null), JSON.parse(`{${members.join(",")}}`));
  }

  pass(ms: number): void {
    this.now += ms;
    this.presence.run(this.now);
  }
}

afterEach(() => void vi.restoreAllMocks());

/** Has encoding this user throw, until the function that is returned is called. */
function poison(userId: string): () => void {
  const { encodedEntry } = UserRow.prototype;
  const spy = vi.spyOn(UserRow.prototype, "encodedEntry").mockImplementation(function (
    this: UserRow,
    matcher,
  ) {
    if (this.userId === userId) throw new RangeError("Invalid string length");
    return encodedEntry.call(this, matcher);
  });
  return () => spy.mockRestore();
}

describe("a user who cannot be encoded", () => {
  it("does not delay the changes of other users, and enters the view as soon as possible", () => {
    const world = new World();
    const bob = world.open("bob");
    const mallory = world.open("mallory");
    const reader = world.subscribe({});
    const cure = poison("mallory");
    world.transact((sessions) => {
      sessions.update(mallory, { hasFocus: true });
      sessions.update(bob, { hasFocus: true });
    });
    expect(reader.version).toBe(2);
    expect(reader.data).toMatchObject({ bob: { widgets: [{ hasFocus: true }] } });
    expect(reader.data).toMatchObject({ mallory: { widgets: [{ hasFocus: false }] } });
    for (let n = 0; n < 5; n++) {
      world.update(bob, n % 2 === 1);
      world.pass(2_000);
    }
    expect(reader.data).toMatchObject({ bob: { widgets: [{ hasFocus: false }] } });
    expect(world.crashes.length).toBeGreaterThan(0);
    cure();
    world.pass(2_000);
    expect(reader.data).toEqual(world.query({}));
    expect(reader.data).toMatchObject({ mallory: { widgets: [{ hasFocus: true }] } });
  });

  it("leaves no incomplete view behind: a later subscriber gets one, and nothing loops", async () => {
    const world = new World();
    world.open("bob");
    world.open("mallory");
    const cure = poison("mallory");
    expect(() => world.presence.liveViews.channel(compile({}))).toThrow(RangeError);
    expect(world.presence.debugCounts()).toMatchObject({ views: 0, channels: 0, hydrating: 0, index: 0 });
    expect(world.presence.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
    cure();
    const reader = world.subscribe({});
    expect(reader.data).toEqual(world.query({}));
  });

  it("ends the subscribers that wait for a large view, and no others", async () => {
    const world = new World();
    for (let i = 0; i < HYDRATE_AT_ONCE + 10; i++) world.open(`user-${i}`);
    const last = world.open("mallory");
    const other = world.subscribe({ userIds: ["user-1"] });
    const failed: unknown[] = [];
    const channel = world.presence.liveViews.channel(compile({}));
    const waiting = {
      payer: undefined,
      deliver: () => {},
      end: () => [],
      fail: (error: unknown) => void failed.push(error),
    };
    channel.add(waiting);
    const cure = poison("mallory");
    while (world.presence.debugCounts().hydrating! > 0) await setImmediate();
    expect(failed).toHaveLength(1);
    channel.remove(waiting);
    world.presence.liveViews.releaseChannel(channel, world.now);
    expect(world.presence.debugCounts()).toMatchObject({ channels: 1, hydrating: 0 });
    cure();
    world.transact((sessions) => {
      sessions.end(last, "closed");
      sessions.update(world.presence.table.get("id1")!, { hasFocus: true });
    });
    expect(other.data).toEqual(world.query({ userIds: ["user-1"] }));
  });
});

it("a failed flush changes nothing: other views are flushed, and this one is flushed later", () => {
  const world = new World();
  const bob = world.open("bob");
  const ann = world.open("ann");
  const everyone = world.subscribe({});
  const onlyAnn = world.subscribe({ userIds: ["ann"] });
  const { view } = everyone.subscription.channel;
  const { flush } = View.prototype;
  const spy = vi.spyOn(View.prototype, "flush").mockImplementation(function (this: View) {
    if (this === view) throw new Error("a defect");
    return flush.call(this);
  });
  world.transact((sessions) => {
    sessions.update(bob, { hasFocus: true });
    sessions.update(ann, { hasFocus: true });
  });
  expect([everyone.version, onlyAnn.version]).toEqual([1, 2]);
  expect(view.since(1)).toEqual([]);
  expect(world.crashes).toHaveLength(1);
  spy.mockRestore();
  world.pass(5_000);
  expect(everyone.version).toBe(2);
  expect(everyone.data).toEqual(world.query({}));
  expect(onlyAnn.data).toEqual(world.query({ userIds: ["ann"] }));
});

it("a subscriber that cannot be served is ended by itself: each of the others gets the diff", () => {
  const world = new World();
  const bob = world.open("bob");
  const failed: unknown[] = [];
  const readers = Array.from({ length: 5 }, () => world.subscribe({}, (error) => void failed.push(error)));
  const { offer } = SendQueue.prototype;
  vi.spyOn(SendQueue.prototype, "offer").mockImplementation(function (this: SendQueue, frame) {
    if (this === readers[2]!.sendQueue) throw new Error("a defect");
    return offer.call(this, frame);
  });
  world.update(bob, true);
  expect(failed).toHaveLength(1);
  expect(readers.map(({ version }) => version)).toEqual([2, 2, 1, 2, 2]);
});

describe.each(seeds(8))("with functions that throw at random (seed %i)", (seed) => {
  it("a subscriber's state equals the result of a query once nothing throws any more", async () => {
    const random = new Random(seed);
    const world = new World();
    let isBroken = false;
    const breakAtRandom = <T extends object>(prototype: T, name: keyof T, oneIn: number) => {
      // biome-ignore lint/suspicious/noExplicitAny: any method of any class
      const original = prototype[name] as any;
      // biome-ignore lint/suspicious/noExplicitAny: as above
      vi.spyOn(prototype as any, name as string).mockImplementation(function (
        this: unknown,
        ...args: unknown[]
      ) {
        if (isBroken && random.oneIn(oneIn)) throw new Error(`${String(name)} is broken`);
        return original.apply(this, args);
      });
    };
    breakAtRandom(UserRow.prototype, "encodedEntry", 10);
    breakAtRandom(View.prototype, "flush", 10);
    breakAtRandom(SendQueue.prototype, "offer", 30);
    breakAtRandom(SendQueue.prototype, "send", 60);

    const filters = [
      {},
      { hasFocus: true },
      { includeBackgroundSessions: true },
      { userIds: ["user-1", "user-2"] },
    ];
    const readers: (Reader | undefined)[] = filters.concat(filters).map(() => undefined);
    const ask = (i: number) => {
      const fail = () => {
        const reader = readers[i];
        readers[i] = undefined;
        if (reader !== undefined) world.unsubscribe(reader);
      };
      try {
        readers[i] = world.subscribe(filters[i % filters.length], fail);
      } catch {
        // The socket would be closed, and its client would come back.
      }
    };
    const sessions: Session[] = [];
    for (let step = 0; step < 400; step++) {
      isBroken = true;
      const session = sessions[random.below(Math.max(1, sessions.length))];
      const what = random.below(6);
      if (what === 0 || session === undefined) sessions.push(world.open(`user-${random.below(20)}`));
      else if (what === 1) {
        sessions.splice(sessions.indexOf(session), 1);
        world.transact((sessions) => sessions.end(session, "closed"));
      } else if (what === 2) {
        isBroken = false;
        for (const i of readers.keys()) if (readers[i] === undefined && random.oneIn(3)) ask(i);
      } else {
        const patch = { hasFocus: random.oneIn(2), visible: random.oneIn(2) };
        world.transact((sessions) => sessions.update(session, patch));
      }
      if (random.oneIn(3)) world.pass(random.pick([10, 60, 2_000]));
    }
    isBroken = false;
    for (const i of readers.keys()) if (readers[i] === undefined) ask(i);
    world.pass(5_000);
    await setImmediate();
    expect(world.crashes.length).toBeGreaterThan(10);
    for (const [i, reader] of readers.entries()) {
      expect(reader!.version).toBe(reader!.subscription.channel.view.version);
      expect(reader!.data).toEqual(world.query(filters[i % filters.length]));
    }
  });
});
