import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { patchEntry } from "../../../src/core/sessions/entry-patch.ts";
import {
  ALL_FIELDS,
  FIELD_BIT,
  NEW_SESSION,
  patchState,
  type Session,
} from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import type { Availability, SessionPatch } from "../../../src/protocol/wire.ts";
import { applyPatch } from "../../support/apply-patch.ts";
import { runs, SEED } from "../../support/seed.ts";

const USER = 'al"ice\\';

// biome-ignore lint/suspicious/noExplicitAny: JSON
const parsed = (entry: string): any => Object.values(JSON.parse(`{${entry}}`))[0];

/** A user with some sessions, and the entry after each change. */
function setUp(count: number, fields = ALL_FIELDS) {
  const table = new Table();
  const hidden = new Set<string>();
  const matcher = { fields, matches: ({ sessionId }: Session) => !hidden.has(sessionId) };
  for (let i = 0; i < count; i++) table.open(`s${i}`, USER, "widget", NEW_SESSION, undefined);
  const entry = () => table.user(USER)!.encodedEntry(matcher);
  const update = (sessionId: string, patch: SessionPatch) => {
    const session = table.get(sessionId)!;
    table.update(session, patchState(session, patch));
  };
  const declare = (
    text: string | undefined,
    emoji: string | undefined,
    availability: Availability = "available",
  ) =>
    table.setProfile(USER, {
      ...table.profile(USER),
      status: { availability, text, emoji, expiresAt: undefined },
    });
  /** The value in a diff that these changes make. */
  const change = (act: () => void) => {
    const before = entry();
    act();
    const after = entry();
    const value = parsed(patchEntry(before, after, fields));
    expect(applyPatch(parsed(before), value)).toEqual(parsed(after));
    return value;
  };
  return { table, hidden, entry, update, declare, change };
}

describe("the patch of an entry", () => {
  it("has only what changed", () => {
    const { change, update, declare } = setUp(3);
    expect(change(() => update("s1", { isTyping: true }))).toEqual({ changed: { s1: { isTyping: true } } });
    const moves = () => {
      update("s0", { selectedConversationId: "c1", hasFocus: true });
      update("s2", { custom: { page: "inbox" } });
    };
    expect(change(moves)).toEqual({
      changed: { s0: { selectedConversationId: "c1", hasFocus: true }, s2: { custom: { page: "inbox" } } },
    });
    expect(change(() => update("s0", { selectedConversationId: null }))).toEqual({
      changed: { s0: { selectedConversationId: null } },
    });
    expect(change(() => declare("in a call", undefined))).toEqual({ changed: {}, statusText: "in a call" });
    expect(change(() => declare(undefined, "🌴"))).toEqual({
      changed: {},
      statusText: null,
      statusEmoji: "🌴",
    });
  });

  it("does not have what was changed back", () => {
    const { change, update } = setUp(2);
    const turns = () => {
      update("s0", { isTyping: true, hasFocus: true });
      update("s0", { isTyping: false });
    };
    expect(change(turns)).toEqual({ changed: { s0: { hasFocus: true } } });
  });

  it("is the whole entry where other sessions are listed, or elsewhere", () => {
    const { table, change, update, hidden } = setUp(3);
    for (const act of [
      () => table.open("s9", USER, "widget", NEW_SESSION, undefined),
      () => table.end(table.get("s9")!, "closed"),
      () => update("s1", { visible: false }),
      () => void (hidden.add("s2") && update("s0", { hasFocus: true })),
      () => {
        update("s0", { hasFocus: false });
        table.end(table.get("s2")!, "closed");
        table.open("s3", USER, "widget", NEW_SESSION, undefined);
      },
    ])
      expect(change(act)).not.toHaveProperty("changed");
  });

  it("is the whole entry where the sessions have no ids, except for a change of the status alone", () => {
    const { change, update, declare } = setUp(2, ALL_FIELDS & ~FIELD_BIT.sessionId);
    expect(change(() => update("s1", { isTyping: true }))).not.toHaveProperty("changed");
    expect(change(() => declare("in a call", undefined))).toEqual({ changed: {}, statusText: "in a call" });
  });

  it("is the whole entry where that is shorter", () => {
    const { change, declare } = setUp(1, 0);
    expect(change(() => declare(undefined, undefined, "away"))).toEqual({ status: "away" });
    const one = setUp(1, FIELD_BIT.custom | FIELD_BIT.sessionId);
    const custom = { page: "x".repeat(500) };
    expect(one.change(() => one.update("s0", { custom }))).toEqual({ changed: { s0: { custom } } });
    const few = setUp(1, FIELD_BIT.isTyping | FIELD_BIT.sessionId);
    expect(few.change(() => few.update("s0", { isTyping: true }))).toEqual({
      changed: { s0: { isTyping: true } },
    });
  });
});

/** Texts that look like parts of an entry. */
const text = fc.constantFrom(
  "",
  "c1",
  '"',
  "\\",
  '\\"',
  "},{",
  ',{"selectedConversationId":',
  '"},{"custom":{',
  '[{"custom":',
  '],"widgets":[{"hasFocus":',
  '"sessionId":"s1"}',
  "\ud800",
  "é🌴",
);
const name = fc.oneof(text, fc.constantFrom("selectedConversationId", "custom", "sessionId", "hasFocus"));
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const patch = fc.record(
  {
    visible: fc.boolean(),
    selectedConversationId: fc.option(text),
    hasFocus: fc.boolean(),
    isTyping: fc.boolean(),
    custom: fc.option(fc.dictionary(name, fc.option(text), { maxKeys: 3 })),
  },
  { requiredKeys: [] },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ session: fc.nat({ max: 3 }), patch }) },
  { weight: 1, arbitrary: fc.record({ text: maybe(text), emoji: maybe(text) }) },
  { weight: 1, arbitrary: fc.record({ isOpened: fc.boolean(), session: fc.nat({ max: 3 }) }) },
);

it(`leads from any entry to any other (MODEL_SEED=${SEED})`, () => {
  let patches = 0;
  fc.assert(
    fc.property(
      fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }),
      fc.constantFrom(ALL_FIELDS, ALL_FIELDS, 16, 17, 18, 20, 24, 27, 30, 15, 2, 0),
      (rounds, fields) => {
        const { table, entry, update, declare } = setUp(4, fields);
        for (const steps of rounds) {
          const before = entry();
          for (const each of steps) {
            const session = "session" in each ? table.get(`s${each.session}`) : undefined;
            if ("text" in each) declare(each.text || undefined, each.emoji || undefined);
            else if ("patch" in each) session && update(session.sessionId, each.patch);
            else if (!each.isOpened)
              session && session.user.sessions.length > 1 && table.end(session, "closed");
            else if (!session) table.open(`s${each.session}`, USER, "background", NEW_SESSION, undefined);
          }
          const after = entry();
          if (before === after) continue;
          const value = parsed(patchEntry(before, after, fields));
          if (Object.hasOwn(value, "changed")) patches++;
          expect(applyPatch(parsed(before), value)).toEqual(parsed(after));
        }
      },
    ),
    { numRuns: runs(1_500), seed: SEED },
  );
  expect(patches).toBeGreaterThan(100);
});

it("names each of many sessions that changed", () => {
  const { update, entry } = setUp(400);
  const before = entry();
  for (let i = 0; i < 400; i += 2) update(`s${i}`, { isTyping: true });
  const after = entry();
  // It searched from the beginning for each of them, which took seconds where there are thousands.
  const search = vi.spyOn(String.prototype, "lastIndexOf");
  const patch = patchEntry(before, after, ALL_FIELDS);
  const searched = search.mock.contexts.reduce((sum: number, text) => sum + (text as string).length, 0);
  search.mockRestore();
  expect(Object.keys(parsed(patch).changed)).toHaveLength(200);
  expect(searched).toBeGreaterThan(0);
  expect(searched).toBeLessThan(3 * after.length);
});
