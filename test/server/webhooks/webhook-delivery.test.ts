import { describe, expect, it, vi } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { type Change, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import { MAX_BODY_BYTES } from "../../../src/server/webhooks/webhook-body.ts";
import { pauseAfter, WebhookDelivery } from "../../../src/server/webhooks/webhook-delivery.ts";
import { WebhookCopy } from "../../support/webhook-receiver.ts";

const INTERVAL_MS = 1_000;
const TIME = "2026-11-27T12:00:00.000Z";
const ACCEPTED = { kind: "accepted", resync: false } as const;
const RESYNC = { kind: "accepted", resync: true } as const;
const FAILED = { kind: "failed" } as const;

/** A view with a delivery, and a clock. */
class Story {
  readonly table = new Table();
  readonly view: View;
  readonly delivery: WebhookDelivery;
  now = 10_000;
  #ids = 0;

  constructor({ isCount = false, maxBodyBytes = MAX_BODY_BYTES, users = [] as string[] } = {}) {
    const filter = new CompiledFilter(FilterSchema.parse({}), { isCount });
    for (const userId of users) this.table.open(`s-${userId}`, userId, "widget", NEW_SESSION, undefined);
    this.view = new View("v", filter, this.table);
    this.view.hydrate(1_000_000);
    this.delivery = new WebhookDelivery({
      appId: "app",
      webhookId: "hook",
      isCount,
      intervalMs: INTERVAL_MS,
      maxBodyBytes,
      makeId: () => `${++this.#ids}`,
      random: () => 0.5,
    });
    this.delivery.start(this.view, this.now);
  }

  /** Changes a user, without a flush. */
  mark(change: "enter" | "leave" | "type", userId: string): void {
    const made = this.#change(change, userId);
    if (made !== undefined) this.view.markDirty(made, this.now);
  }

  flush(): void {
    if (this.view.flush().diff !== undefined) this.delivery.changed(this.now);
  }

  enter(userId: string): void {
    this.mark("enter", userId);
    this.flush();
  }

  type(userId: string): void {
    this.mark("type", userId);
    this.flush();
  }

  leave(userId: string): void {
    this.mark("leave", userId);
    this.flush();
  }

  #change(change: "enter" | "leave" | "type", userId: string): Change | undefined {
    const sessionId = `s-${userId}`;
    if (change === "enter") return this.table.open(sessionId, userId, "widget", NEW_SESSION, undefined);
    const session = this.table.get(sessionId)!;
    if (change === "leave") return this.table.end(session, "closed");
    return this.table.update(session, patchState(session, { isTyping: true }));
  }

  /** What is sent now; undefined: nothing. */
  next(): { id: string; text: string; message: WebhookMessage } | undefined {
    const message = this.delivery.next(this.now, TIME);
    return message && { id: message.id, text: message.body, message: JSON.parse(message.body) };
  }

  /** The data of the message that is sent now, which the receiver accepts. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at messages of every type
  accept(): any {
    const next = this.next();
    if (next === undefined) return undefined;
    this.delivery.answered(ACCEPTED, this.now);
    return { type: next.message.type, ...next.message.data };
  }

  get behind(): number {
    return this.now - (this.delivery.behindSince ?? this.now);
  }
}

describe("a delivery", () => {
  it("begins with a snapshot, also of nobody, and has nothing to say then", () => {
    const story = new Story();
    expect(story.accept()).toMatchObject({ type: "presence.snapshot", version: 1, users: {}, more: false });
    expect(story.next()).toBeUndefined();
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
  });

  it("sends the first change at once, and the next ones once in the interval", () => {
    const story = new Story();
    story.accept();
    story.enter("alice");
    expect(story.accept()).toMatchObject({ from: 1, version: 2, users: { alice: { status: "online" } } });
    story.enter("bob");
    expect(story.next()).toBeUndefined();
    expect(story.delivery.nextDueAt()).toBe(story.now + INTERVAL_MS);
    story.now += INTERVAL_MS;
    expect(Object.keys(story.accept().users)).toEqual(["bob"]);
  });

  it("folds what changes while a message is under way", () => {
    const story = new Story({ users: ["alice", "bob"] });
    expect(Object.keys(story.next()!.message.data.users)).toEqual(["alice", "bob"]);
    story.leave("alice");
    story.enter("guest");
    story.type("bob");
    story.leave("guest");
    story.enter("carol");
    expect(story.next()).toBeUndefined();
    story.delivery.answered(ACCEPTED, story.now);
    const { from, version, users, causes } = story.accept();
    expect([from, version]).toEqual([1, 6]);
    expect(users).toMatchObject({ alice: null, bob: { widgets: [{ isTyping: true }] }, carol: {} });
    expect(Object.keys(users)).toEqual(["alice", "bob", "carol"]);
    expect(causes).toEqual({ alice: "closed" });
  });

  it("sends nothing for users who came and left, and goes on from the version that the receiver has", () => {
    const story = new Story();
    story.accept();
    story.enter("alice");
    story.accept();
    story.enter("bob");
    story.leave("bob");
    story.now += INTERVAL_MS;
    expect(story.next()).toBeUndefined();
    expect(story.behind).toBe(0);
    story.enter("carol");
    expect(story.accept()).toMatchObject({ from: 2, version: 5 });
  });

  it("repeats a message byte for byte, with longer and longer pauses, until it is accepted", () => {
    const story = new Story();
    story.enter("alice");
    const { id, text } = story.next()!;
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      story.delivery.answered(FAILED, story.now);
      story.enter(`user${i}`);
      pauses.push(story.delivery.nextDueAt() - story.now);
      story.now += pauses.at(-1)! - 1;
      expect(story.next()).toBeUndefined();
      story.now++;
      expect(story.next()).toMatchObject({ id, text });
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((s) => 1_000 * s));
    story.delivery.answered(ACCEPTED, story.now);
    const next = story.next()!;
    expect(next.id).not.toBe(id);
    story.delivery.answered(FAILED, story.now);
    expect(story.delivery.nextDueAt()).toBe(story.now + 1_000);
  });

  it("spreads pauses by a quarter", () => {
    expect([pauseAfter(1, 0), pauseAfter(1, 0.999_999), pauseAfter(100, 0.5)]).toEqual([
      750,
      expect.closeTo(1_250, 0),
      60_000,
    ]);
  });

  it("says how old the oldest change is that the receiver has not accepted", () => {
    const story = new Story();
    story.now += 500;
    expect(story.behind).toBe(500);
    story.accept();
    expect(story.behind).toBe(0);
    story.enter("alice");
    story.next();
    story.now += 100;
    story.enter("bob");
    story.now += 1_000;
    expect(story.behind).toBe(1_100);
    story.delivery.answered(ACCEPTED, story.now);
    expect(story.behind).toBe(1_000);
    story.now += INTERVAL_MS;
    story.accept();
    expect(story.behind).toBe(0);
  });

  it("waits until a large view has all of its members", () => {
    const story = new Story();
    for (let i = 0; i < 10; i++) story.table.open(`t${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
    const view = new View("large", new CompiledFilter(FilterSchema.parse({})), story.table);
    expect(view.hydrate(3)).toBe(false);
    story.delivery.start(view, story.now);
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
    while (!view.hydrate(3));
    expect(Object.keys(story.accept().users)).toHaveLength(10);
  });

  it("forgets everything when it is stopped, and begins again with a snapshot", () => {
    const story = new Story({ users: ["alice"] });
    story.next();
    story.delivery.stop();
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
    // The answer to the attempt that was under way.
    story.delivery.answered(FAILED, story.now);
    story.enter("bob");
    expect([story.delivery.keptUsers, story.behind, story.delivery.failures]).toEqual([0, 0, 0]);
    story.delivery.start(story.view, story.now);
    expect(Object.keys(story.accept().users)).toEqual(["alice", "bob"]);
  });
});

describe("a receiver that asks for a snapshot", () => {
  it("gets one, even if nothing has changed, but one in the interval", () => {
    const story = new Story({ users: ["alice"] });
    story.next();
    story.delivery.answered(RESYNC, story.now);
    expect(story.next()!.message.type).toBe("presence.snapshot");
    story.delivery.answered(RESYNC, story.now);
    expect(story.next()).toBeUndefined();
    story.now += INTERVAL_MS;
    expect(story.accept()).toMatchObject({ type: "presence.snapshot", page: 1, users: { alice: {} } });
    expect(story.next()).toBeUndefined();
  });

  it("gets the pages again from the first, at the present version", () => {
    const story = new Story({ users: ["alice", "bob", "carol"], maxBodyBytes: 450 });
    expect(story.accept()).toMatchObject({ page: 1, more: true, version: 1 });
    story.enter("dave");
    story.next();
    story.delivery.answered(RESYNC, story.now);
    const pages = [];
    for (let more = true; more; more = pages.at(-1).more) pages.push(story.accept());
    expect(pages.map(({ page, version }) => [page, version])).toEqual(pages.map((_, i) => [i + 1, 2]));
    expect(Object.assign({}, ...pages.map(({ users }) => users))).toHaveProperty("dave");
  });

  it("cannot make the gateway send pages without end", () => {
    const story = new Story({ users: ["alice", "bob", "carol"], maxBodyBytes: 450 });
    let sent = 0;
    const end = story.now + 10 * INTERVAL_MS;
    for (; story.now < end; story.now += 100) {
      while (story.next() !== undefined) {
        sent++;
        story.delivery.answered(RESYNC, story.now);
      }
    }
    expect(sent).toBeLessThanOrEqual(11);
  });
});

describe("pages of a snapshot", () => {
  it("are of one version, follow each other at once, and what changes meanwhile comes after them", () => {
    const users = Array.from({ length: 9 }, (_, i) => `user${i}`);
    const story = new Story({ users, maxBodyBytes: 450 });
    const copy = new WebhookCopy();
    let pages = 0;
    for (;;) {
      const { message } = story.next()!;
      copy.apply(message);
      story.delivery.answered(ACCEPTED, story.now);
      if (message.type !== "presence.snapshot") break;
      pages++;
      expect(message.data).toMatchObject({ page: pages, version: 1 });
      if (pages === 1) story.leave("user8");
      if (pages === 2) story.enter("late");
    }
    expect(pages).toBeGreaterThan(3);
    expect([...copy.users.keys()].sort()).toEqual([...users.slice(0, 8), "late"].sort());
    expect(copy.version).toBe(3);
  });

  it("come in place of a diff that would be too long, once in the interval", () => {
    const story = new Story({ maxBodyBytes: 450 });
    story.accept();
    story.enter("alice");
    story.accept();
    for (let i = 0; i < 50; i++) story.enter(`user${i}`);
    // Nothing is kept of them meanwhile.
    expect(story.delivery.keptUsers).toBe(0);
    expect(story.next()).toBeUndefined();
    story.now += INTERVAL_MS;
    expect(story.accept()).toMatchObject({ type: "presence.snapshot", page: 1, version: 52 });
  });
});

describe("a count", () => {
  it("is sent at once, whatever it is, and then when it has changed", () => {
    const story = new Story({ isCount: true });
    expect(story.accept()).toEqual({ type: "presence.count", appId: "app", webhookId: "hook", users: 0 });
    expect(story.next()).toBeUndefined();
    story.enter("alice");
    expect(story.accept().users).toBe(1);
    story.enter("bob");
    story.leave("bob");
    story.now += INTERVAL_MS;
    expect([story.next(), story.behind]).toEqual([undefined, 0]);
    story.enter("carol");
    expect(story.accept().users).toBe(2);
  });

  it("is sent again to a receiver that asks for it", () => {
    const story = new Story({ isCount: true });
    story.next();
    story.delivery.answered(RESYNC, story.now);
    expect(story.accept().users).toBe(0);
    expect(story.next()).toBeUndefined();
  });

  it("keeps nothing about users", () => {
    const story = new Story({ isCount: true });
    story.accept();
    story.enter("alice");
    expect([story.delivery.keptUsers, story.accept().users]).toEqual([0, 1]);
  });

  it("is not behind when it is what it was before the message under way", () => {
    const story = new Story({ isCount: true });
    story.accept();
    story.enter("alice");
    story.next();
    story.enter("bob");
    story.leave("bob");
    story.delivery.answered(ACCEPTED, story.now);
    story.now += 5_000;
    expect([story.next(), story.behind]).toEqual([undefined, 0]);
  });
});

describe("beside another sender, a delivery", () => {
  const SHARED_MS = 16_000;

  it.each([false, true])("sends all once more when that one has ended, count: %j", (isCount) => {
    const story = new Story({ isCount, users: ["alice"] });
    story.delivery.sharesUntil(story.now + SHARED_MS);
    const { users } = story.accept();
    expect(story.delivery.nextDueAt()).toBe(story.now + SHARED_MS);
    story.now += SHARED_MS - 1;
    expect(story.next()).toBeUndefined();
    story.now++;
    expect([story.behind, story.accept()]).toMatchObject([0, { users }]);
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
  });

  it.each([false, true])("does not if a change made a message since, count: %j", (isCount) => {
    const story = new Story({ isCount });
    story.delivery.sharesUntil(story.now + SHARED_MS);
    story.accept();
    story.now += SHARED_MS;
    story.enter("alice");
    expect(story.accept().type).toBe(isCount ? "presence.count" : "presence.diff");
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
  });

  it("does also if a message was made before, and accepted later", () => {
    const story = new Story();
    story.delivery.sharesUntil(story.now + SHARED_MS);
    story.next();
    story.now += SHARED_MS;
    story.delivery.answered(ACCEPTED, story.now);
    expect(story.accept().type).toBe("presence.snapshot");
    expect(story.next()).toBeUndefined();
  });

  it("waits for the last one, and forgets it with the next start", () => {
    const story = new Story();
    story.delivery.sharesUntil(story.now + SHARED_MS);
    story.delivery.sharesUntil(story.now + 2 * SHARED_MS);
    story.delivery.sharesUntil(story.now + SHARED_MS);
    story.accept();
    expect(story.delivery.nextDueAt()).toBe(story.now + 2 * SHARED_MS);
    story.delivery.start(story.view, story.now);
    story.accept();
    expect(story.delivery.nextDueAt()).toBe(Number.POSITIVE_INFINITY);
  });
});

it("a snapshot that cannot be made leaves the changes for the next one", () => {
  const story = new Story({ maxBodyBytes: 400 });
  story.accept();
  for (let i = 0; i < 30; i++) story.mark("enter", `user${i}`);
  story.flush();
  const members = vi.spyOn(story.view, "members").mockImplementationOnce(() => {
    throw new Error("a defect");
  });
  expect(() => story.next()).toThrow("a defect");
  const users = new Set<string>();
  for (let more = true; more; ) {
    const data = story.accept();
    for (const userId of Object.keys(data.users)) users.add(userId);
    more = data.more;
  }
  expect([users.size, members.mock.calls.length]).toEqual([30, 2]);
});

it("a receiver that is down for an hour costs no more than the users there were and are", () => {
  const users = Array.from({ length: 10_000 }, (_, i) => `user${i}`);
  const story = new Story({ users });
  while (story.accept() !== undefined);
  story.enter("first");
  story.next();
  let most = 0;
  for (let minute = 0; minute < 60; minute++) {
    story.delivery.answered(FAILED, story.now);
    story.now += 60_000;
    story.next();
    // Everybody comes or goes in an hour, and so do visitors whom nobody sees again.
    for (let i = 0; i < 200; i++) {
      const userId = users[(minute * 200 + i) % users.length]!;
      if (story.table.get(`s-${userId}`) === undefined) story.mark("enter", userId);
      else story.mark("leave", userId);
      story.mark("enter", `guest ${minute} ${i}`);
    }
    story.flush();
    for (let i = 0; i < 200; i++) story.mark("leave", `guest ${minute} ${i}`);
    story.flush();
    most = Math.max(most, story.delivery.keptUsers);
  }
  expect(most).toBeGreaterThan(5_000);
  expect(most).toBeLessThanOrEqual(users.length + 1);
  story.delivery.answered(ACCEPTED, story.now);
  story.now += INTERVAL_MS;
  // More than a diff may have: a snapshot of those who are there.
  const there = new Set<string>();
  for (let more = true; more; ) {
    const data = story.accept();
    expect(data.type).toBe("presence.snapshot");
    for (const userId of Object.keys(data.users)) there.add(userId);
    more = data.more;
  }
  expect([...there].sort()).toEqual([...story.table.all()].map(({ user }) => user.userId).sort());
});
