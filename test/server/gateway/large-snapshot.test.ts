import { setImmediate } from "node:timers/promises";
import fc from "fast-check";
import { expect, it, onTestFinished, vi } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { encodeSnapshotPage } from "../../../src/protocol/codec.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { Snapshot } from "../../../src/server/gateway/snapshot.ts";
import { type MessageEncoder, Subscription } from "../../../src/server/gateway/subscription.ts";
import { ViewChannel } from "../../../src/server/gateway/view-channel.ts";
import { runs } from "../../support/seed.ts";
import { publish, TEST_OWNER, testPageTurns, testTelemetry } from "../../support/stubs.ts";

const ENCODER: MessageEncoder = {
  snapshot: (page, requestId) => new Frame(encodeSnapshotPage(requestId, page.body)),
  diff: (frame) => frame,
};

const USERS = 400;
const COLLECT = 60;
/** So that a page has about a hundred users. */
const NOTE = "n".repeat(500);

interface Sent {
  readonly type: "snapshot" | "diff";
  readonly version: number;
  readonly more?: true;
  readonly data: Record<string, { widgets: [{ custom: { n: string } }] }>;
}

const telemetry = testTelemetry();

/** A view of many users, each with a number that changes. */
class World {
  readonly numbers = new Array<number>(USERS).fill(0);
  readonly #table = new Table();
  readonly view: View;
  readonly channel: ViewChannel;

  constructor() {
    for (let i = 0; i < USERS; i++) {
      const state = patchState(NEW_SESSION, { custom: { n: "0", note: NOTE } });
      this.#table.open(`s${i}`, `u${i}`, "widget", state, undefined);
    }
    this.view = new View("view", new CompiledFilter(FilterSchema.parse({})), this.#table);
    this.channel = new ViewChannel(this.view, telemetry);
    this.view.hydrate(COLLECT);
  }

  collect(): void {
    if (!this.view.isHydrating) return;
    if (this.view.hydrate(COLLECT) && this.view.isMarked) this.flush();
    this.channel.hydrated();
  }

  change(user: number): void {
    const session = this.#table.get(`s${user}`)!;
    const n = String(++this.numbers[user]!);
    this.view.markDirty(this.#table.update(session, patchState(session, { custom: { n } }))!, 0);
  }

  flush(): void {
    if (!this.view.isHydrating) publish(this.channel);
  }
}

class Reader {
  readonly sent: Sent[] = [];
  readonly #asked: readonly number[];

  constructor(world: World) {
    const sink = {
      buffered: 0,
      progress: 0,
      send: (frame: Frame) => {
        this.sent.push(JSON.parse(frame.text));
        return true;
      },
    };
    const sendQueue = new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns());
    const subscription = new Subscription(world.channel, { sendQueue, encoder: ENCODER, owner: TEST_OWNER });
    world.channel.add(subscription);
    this.#asked = [...world.numbers];
    subscription.requestSnapshot(1);
  }

  /**
   * What has been sent comes to these numbers, in order and without a gap; nothing was older than the
   * request.
   */
  check(numbers: readonly number[]): void {
    const known = new Map<string, number>();
    let version: number | undefined;
    let isWhole = false;
    for (const message of this.sent) {
      if (message.type === "snapshot") {
        expect(isWhole).toBe(false);
        expect(message.version).toBe(version ?? message.version);
        isWhole = message.more === undefined;
      } else {
        expect(isWhole).toBe(true);
        expect(message.version).toBe(version! + 1);
      }
      version = message.version;
      for (const [userId, { widgets }] of Object.entries(message.data)) {
        const n = Number(widgets[0].custom.n);
        expect(n).toBeGreaterThanOrEqual(this.#asked[Number(userId.slice(1))]!);
        expect(message.type === "snapshot" && known.has(userId)).toBe(false);
        known.set(userId, n);
      }
    }
    expect(isWhole).toBe(true);
    expect(numbers.map((_, i) => known.get(`u${i}`))).toEqual(numbers);
  }
}

const step = fc.oneof(
  fc.constantFrom("collect" as const, "turn" as const, "flush" as const, "ask" as const),
  fc.nat({ max: USERS - 1 }),
);

it("a snapshot that begins while its view is hydrated has the same content as any other", async () => {
  const early = { pages: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const world = new World();
      const readers = [new Reader(world)];
      if (world.view.isHydrating) early.pages += readers[0]!.sent.length;
      for (const each of steps) {
        if (each === "collect") world.collect();
        else if (each === "flush") world.flush();
        else if (each === "turn") await setImmediate();
        else if (each === "ask") readers.push(new Reader(world));
        else world.change(each);
        if (world.view.isHydrating) early.pages += readers[0]!.sent.length;
      }
      while (world.view.isHydrating) world.collect();
      world.flush();
      // Pages go out a few in a turn, to each reader.
      for (let turn = 0; turn < 4; turn++) await setImmediate();
      for (const reader of readers) reader.check(world.numbers);
    }),
    { numRuns: runs(100) },
  );
  expect(early.pages).toBeGreaterThan(runs(600));
});

it("answers behind the snapshot of a large view do not wait for it once it is unsubscribed", () => {
  const world = new World();
  const sent: string[] = [];
  const sink = { buffered: 0, progress: 0, send: (frame: Frame) => sent.push(frame.text) > 0 };
  const sendQueue = new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns());
  const subscription = new Subscription(world.channel, { sendQueue, encoder: ENCODER, owner: TEST_OWNER });
  world.channel.add(subscription);
  subscription.requestSnapshot(1);
  expect([world.view.isHydrating, sent]).toEqual([true, []]);
  sendQueue.start({
    step: () => {
      sendQueue.send(new Frame("the answer to a query"));
      return "done";
    },
  });
  // The view may be dropped now, and never be whole.
  expect(world.channel.remove(subscription)).toEqual([1]);
  expect([sent, sendQueue.pagedResponses]).toEqual([["the answer to a query"], 0]);
  world.collect();
  expect(sent.length).toBe(1);
});

it("a snapshot that waits for its view is continued by it, and not polled", async () => {
  const pages = vi.spyOn(Snapshot.prototype, "page");
  onTestFinished(() => pages.mockRestore());
  const world = new World();
  const reader = new Reader(world);
  expect(reader.sent).toEqual([]);
  const looks = () => pages.mock.calls.length;
  while (world.view.isHydrating) {
    const before = looks();
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    expect(looks()).toBe(before);
    world.collect();
    expect(looks()).toBeGreaterThan(before);
    await setImmediate();
  }
  for (let turn = 0; turn < 4; turn++) await setImmediate();
  reader.check(world.numbers);
});
