import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assemblePages, createLiveUsers, type LiveUsers } from "../../src/client/live-users.ts";
import { readMessage } from "../../src/client/server-message.ts";
import type { PresenceData, PresenceValue } from "../../src/protocol/wire.ts";
import { plain, someone } from "../support/sdk.ts";
import { runs, SEED } from "../support/seed.ts";

describe("live users", () => {
  const USERS = ["alice", "bob", "__proto__", "constructor"];
  const users = fc.dictionary(fc.constantFrom(...USERS), fc.constantFrom("1", "2", "3"));
  const diff = fc.dictionary(fc.constantFrom(...USERS), fc.option(fc.constantFrom("1", "2", "3")), {
    minKeys: 1,
  });
  const fresh = (data: Record<string, string | null>) =>
    Object.fromEntries(
      Object.entries(data).map(([userId, text]) => [userId, text === null ? null : someone(text)]),
    );

  it(`are what snapshots and diffs say, and tell what changed (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(diff, fc.array(users, { minLength: 1, maxLength: 3 }))), (steps) => {
        const live = createLiveUsers(1_000);
        live.addPage({ view: "v", version: 1, data: {} });
        const expected = new Map<string, string>();
        for (const step of steps) {
          const before = live.snapshot!;
          const copy = new Map(before);
          const { version } = live.position!;
          let change: ReturnType<LiveUsers["addPage"]>;
          if (Array.isArray(step)) {
            const pages = step.filter(
              (page, i) =>
                i === step.length - 1 ||
                Object.keys(page).some((id) => !step.slice(0, i).some((other) => Object.hasOwn(other, id))),
            );
            expected.clear();
            for (const [i, page] of pages.entries()) {
              for (const [userId, text] of Object.entries(page)) expected.set(userId, text);
              const more = i < pages.length - 1;
              change = live.addPage({
                view: "w",
                version: version + 9,
                data: fresh(page) as PresenceData,
                more,
              });
              expect(change === undefined).toBe(more);
            }
          } else {
            for (const [userId, text] of Object.entries(step)) {
              if (text === null) expected.delete(userId);
              else expected.set(userId, text);
            }
            change = live.addDiff({
              view: "v",
              version: version + 1,
              data: fresh(step),
              causes: { alice: "kicked" },
            });
          }
          const now = live.snapshot!;
          expect(plain(now)).toEqual(Object.assign(Object.create(null), fresh(Object.fromEntries(expected))));
          // The one before is as it was.
          expect([...before]).toEqual([...copy]);
          const { entered, updated, left } = change!;
          for (const userId of entered) expect(before.has(userId)).toBe(false);
          for (const userId of updated) expect(before.has(userId) && now.has(userId)).toBe(true);
          for (const { userId, cause } of left) {
            expect(now.has(userId)).toBe(false);
            expect(cause).toBe(!Array.isArray(step) && userId === "alice" ? "kicked" : "unknown");
          }
          expect(before.size + entered.length - left.length).toBe(now.size);
          for (const [userId, value] of now) {
            if (!entered.includes(userId) && !updated.includes(userId))
              expect(before.get(userId)).toBe(value);
          }
        }
      }),
      { numRuns: runs(500), seed: SEED },
    );
  });

  it("have a bound in what they say, whatever it is, which nobody who says all that can be said reaches", () => {
    const talkative = someone("s", {
      custom: Object.fromEntries(
        Array.from({ length: 32 }, (_, i) => [`${i}`.padEnd(64, "k"), "v".repeat(512)]),
      ),
    });
    const few = createLiveUsers(2);
    few.addPage({ view: "v", version: 1, data: { alice: talkative, bob: talkative } });
    expect(few.snapshot?.size).toBe(2);
    const junk = { ...someone(), junk: "x".repeat(1_000_000) };
    let version = 1;
    expect(() => {
      for (; version < 100; version++) {
        few.addDiff({
          view: "v",
          version: version + 1,
          data: { alice: null, [`u${version}`]: junk, [`u${version - 1}`]: null },
        });
      }
    }).not.toThrow();
    const many = createLiveUsers(1_000);
    many.addPage({ view: "v", version: 1, data: {} });
    let size = 0;
    expect(() => {
      for (; size < 100; size++) many.addDiff({ view: "v", version: size + 2, data: { [`u${size}`]: junk } });
    }).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
    expect(size).toBeLessThan(20);
  });
});

describe("patches", () => {
  const two = { ...someone("s1"), status: "busy", statusEmoji: "📞" } as PresenceValue;
  const widgets = [...two.widgets, ...someone("s2").widgets];
  const alice: PresenceValue = { ...two, widgets };

  it("are folded into the value before, and what they do not name stays the same", () => {
    const live = createLiveUsers(10);
    live.addPage({ view: "v", version: 1, data: { alice } });
    const data = {
      alice: { changed: { s2: { isTyping: true } }, statusText: "out", statusEmoji: null },
    } as const;
    expect(live.addDiff({ view: "v", version: 2, data })).toMatchObject({ updated: ["alice"] });
    const folded = live.snapshot!.get("alice")!;
    const { backgroundSessions } = alice;
    const expected = {
      status: "busy",
      statusText: "out",
      backgroundSessions,
      widgets: [widgets[0], { ...widgets[1], isTyping: true }],
    };
    expect(JSON.stringify(folded)).toBe(JSON.stringify(expected));
    expect(folded.widgets[0]).toBe(alice.widgets[0]);
    // A snapshot of the same state is no change.
    expect(live.addPage({ view: "v", version: 2, data: { alice: expected as PresenceValue } })).toEqual({
      entered: [],
      updated: [],
      left: [],
    });
  });

  it("need no lists, and keep fields that the client does not know", () => {
    const live = createLiveUsers(10);
    const value = { status: "online", badge: 1 } as unknown as PresenceValue;
    live.addPage({ view: "v", version: 1, data: { alice: value } });
    live.addDiff({ view: "v", version: 2, data: { alice: { changed: {}, statusText: "out" } } });
    expect(live.snapshot!.get("alice")).toEqual({ status: "online", statusText: "out", badge: 1 });
  });

  it(`that a gateway gone wrong sends break the protocol, or make a valid value (MODEL_SEED=${SEED})`, () => {
    const field = fc.constantFrom(
      "status",
      "statusText",
      "widgets",
      "backgroundSessions",
      "isTyping",
      "custom",
    );
    const junk = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom(null, "", "busy", true, 5, [], {}, [null], [{ sessionId: "s2" }]),
    );
    const fields = fc.dictionary(field, junk, { maxKeys: 3 });
    const sessionId = fc.constantFrom("s1", "s2", "__proto__", "constructor");
    const changed = fc.dictionary(sessionId, fc.oneof(fields, junk), { maxKeys: 2 });
    let folded = 0;
    fc.assert(
      fc.property(
        fc.constantFrom("alice", "bob"),
        fields,
        fc.oneof(changed, junk),
        (userId, rest, changed) => {
          const live = createLiveUsers(10);
          const text = JSON.stringify({
            type: "diff",
            view: "v",
            version: 2,
            data: { [userId]: { ...rest, changed } },
          });
          live.addPage({ view: "v", version: 1, data: { alice } });
          try {
            live.addDiff(readMessage(text) as Parameters<LiveUsers["addDiff"]>[0]);
          } catch (error) {
            expect(error).toMatchObject({ code: "PROTOCOL" });
            return;
          }
          folded++;
          const data = Object.fromEntries(live.snapshot!);
          expect(
            readMessage(JSON.stringify({ type: "snapshot", id: 1, view: "v", version: 2, data })),
          ).toBeDefined();
        },
      ),
      { numRuns: runs(1_000), seed: SEED },
    );
    expect(folded).toBeGreaterThan(10);
  });

  it("of users who are not there break the protocol", () => {
    const live = createLiveUsers(10);
    live.addPage({ view: "v", version: 1, data: {} });
    expect(() => live.addDiff({ view: "v", version: 2, data: { alice: { changed: {} } } })).toThrow(
      expect.objectContaining({ code: "PROTOCOL" }),
    );
  });
});

describe("pages", () => {
  it("make one result, of which the last page brings all", () => {
    const pages = assemblePages(10);
    expect(pages({ data: { a: someone("1") }, more: true })).toBeUndefined();
    const users = pages({ data: { b: someone("2") } });
    expect([...users!]).toEqual([
      ["a", someone("1")],
      ["b", someone("2")],
    ]);
  });

  it("without a new user break the protocol, for they could go on without end", () => {
    const pages = assemblePages(10);
    pages({ data: { a: someone() }, more: true });
    expect(() => pages({ data: { a: someone() }, more: true })).toThrow(
      expect.objectContaining({ code: "PROTOCOL" }),
    );
  });
});

describe("users who are missing after a restart", () => {
  const live = () => {
    const users = createLiveUsers(10);
    users.addPage({ view: "v", version: 1, data: { a: someone("1"), b: someone("2"), c: someone("3") } });
    users.addPage({ view: "w", version: 1, data: { a: someone("1") } }, true);
    return users;
  };

  it("stay until they are back, or their time is over", () => {
    const users = live();
    expect([...users.snapshot!.keys()].sort()).toEqual(["a", "b", "c"]);
    expect(users.addDiff({ view: "w", version: 2, data: { b: someone("2") } }).updated).toEqual(["b"]);
    expect(users.timeout()).toEqual({
      entered: [],
      updated: [],
      left: [{ userId: "c", cause: "timeout" }],
    });
    expect([...users.snapshot!.keys()].sort()).toEqual(["a", "b"]);
  });

  it("stay through later snapshots too, in which nobody else is awaited", () => {
    const users = live();
    const { left } = users.addPage({ view: "x", version: 1, data: { b: someone("2") } })!;
    expect(left).toEqual([{ userId: "a", cause: "unknown" }]);
    expect([...users.snapshot!.keys()]).toEqual(["b", "c"]);
    expect(users.timeout()!.left).toEqual([{ userId: "c", cause: "timeout" }]);
  });

  it("are none before the first snapshot is whole", () => {
    const users = createLiveUsers(10);
    users.addPage({ view: "v", version: 1, data: { a: someone() }, more: true }, true);
    expect(users.timeout()).toBeUndefined();
    expect(users.snapshot).toBeUndefined();
  });

  it("may be given up between the pages of a snapshot, which is not lost by that", () => {
    const users = live();
    users.addPage({ view: "x", version: 5, data: { a: someone("1") }, more: true });
    users.timeout();
    expect(users.addPage({ view: "x", version: 5, data: { d: someone("4") } })).toEqual({
      entered: ["d"],
      updated: [],
      left: [],
    });
    expect([...users.snapshot!.keys()].sort()).toEqual(["a", "d"]);
  });
});

it("a diff that does not follow, or comes between pages, breaks the protocol", () => {
  const users = createLiveUsers(10);
  users.addPage({ view: "v", version: 1, data: {} });
  const broken = expect.objectContaining({ code: "PROTOCOL" });
  expect(() => users.addDiff({ view: "v", version: 3, data: { a: someone() } })).toThrow(broken);
  users.addPage({ view: "v", version: 1, data: { a: someone() }, more: true });
  expect(() => users.addDiff({ view: "v", version: 2, data: { a: someone() } })).toThrow(broken);
  users.lost();
  expect(users.addDiff({ view: "v", version: 2, data: { a: someone() } }).entered).toEqual(["a"]);
});
