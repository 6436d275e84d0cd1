import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { type NormalFilter, normalFilter } from "../../src/client/filter.ts";
import type { LeaveCause, PresenceErrorCode, PresenceFilter } from "../../src/client/index.ts";
import { LiveUsers } from "../../src/client/live-users.ts";
import { readMessage } from "../../src/client/server-message.ts";
import { CompiledFilter } from "../../src/core/views/compiled-filter.ts";
import type { ErrorCode, LeaveCause as WireLeaveCause } from "../../src/protocol/codes.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { MAX_SERVER_MESSAGE_BYTES } from "../../src/protocol/rules.ts";
import type { PresenceData } from "../../src/protocol/wire.ts";
import { filter as filters } from "../model/arbitraries.ts";
import { plain, someone } from "../support/sdk.ts";
import { runs, SEED } from "../support/seed.ts";

it("the SDK has causes and codes of its own beside those of the wire", () => {
  expectTypeOf<LeaveCause>().toEqualTypeOf<WireLeaveCause | "unknown">();
  expectTypeOf<Exclude<PresenceErrorCode, ErrorCode>>().toEqualTypeOf<
    "DISCONNECTED" | "PROTOCOL" | "TOKEN" | "TIMEOUT" | "CLOSED"
  >();
});

describe("a message from the gateway", () => {
  /** Of so many characters. */
  const message = (length: number) => {
    const text = JSON.stringify({ type: "error", code: "LIMIT_REACHED", message: "" });
    return text.replace('"message":""', `"message":"${"x".repeat(length - text.length)}"`);
  };

  it("is taken up to the bound that the gateway keeps, and none that is larger", () => {
    // The protocol says so too, and clients by other hands go by that.
    const protocol = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
    expect(protocol).toContain(`at most ${MAX_SERVER_MESSAGE_BYTES.toLocaleString("en")} bytes`);
    expect(MAX_SERVER_MESSAGE_BYTES).toBe(1024 * 1024);
    expect(readMessage(message(MAX_SERVER_MESSAGE_BYTES))).toMatchObject({ type: "error" });
    expect(() => readMessage(message(MAX_SERVER_MESSAGE_BYTES + 1))).toThrow("no JSON object");
  });
});

describe("a filter's key", () => {
  const given = fc
    .tuple(
      filters,
      fc.subarray(["hasFocus", "isTyping", "userIds", "includeBackgroundSessions"] as const),
      fc.boolean(),
    )
    .map(([filter, nulls, isReversed]) => {
      const written: Record<string, unknown> = { ...filter, unknown: Math.random() };
      for (const field of nulls) written[field] ??= null;
      if (isReversed && filter.userIds) written.userIds = [...filter.userIds, ...filter.userIds].reverse();
      const entries = Object.entries(written);
      return Object.fromEntries(isReversed ? entries.reverse() : entries) as PresenceFilter;
    });
  const compiled = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter)).key;
  const wire = ({ filter }: NormalFilter) => JSON.parse(JSON.stringify(filter));

  // Else two of the client's views would be one of the gateway's, or one would be two.
  it(`is the same for two exactly if they are the same for the gateway (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(given, given, (a, b) => {
        expect(normalFilter(a).key === normalFilter(b).key).toBe(compiled(a) === compiled(b));
        expect(compiled(wire(normalFilter(a)))).toBe(compiled(a));
      }),
      { numRuns: runs(3_000), seed: SEED },
    );
  });

  it("belongs to a copy, which nobody changes later", () => {
    const userIds = ["b", "a"];
    const { filter } = normalFilter({ userIds });
    userIds.push("c");
    expect(filter.userIds).toEqual(["a", "b"]);
  });
});

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
        const live = new LiveUsers(1_000);
        live.page({ view: "v", version: 1, data: {} });
        const expected = new Map<string, string>();
        for (const step of steps) {
          const before = live.snapshot!;
          const copy = new Map(before);
          const { version } = live.position!;
          let change: ReturnType<LiveUsers["page"]>;
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
              change = live.page({
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
            change = live.diff({
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
    const few = new LiveUsers(2);
    few.page({ view: "v", version: 1, data: { alice: talkative, bob: talkative } });
    expect(few.snapshot?.size).toBe(2);
    const junk = { ...someone(), junk: "x".repeat(1_000_000) };
    let version = 1;
    expect(() => {
      for (; version < 100; version++) {
        few.diff({
          view: "v",
          version: version + 1,
          data: { alice: null, [`u${version}`]: junk, [`u${version - 1}`]: null },
        });
      }
    }).not.toThrow();
    const many = new LiveUsers(1_000);
    many.page({ view: "v", version: 1, data: {} });
    let size = 0;
    expect(() => {
      for (; size < 100; size++) many.diff({ view: "v", version: size + 2, data: { [`u${size}`]: junk } });
    }).toThrow(expect.objectContaining({ code: "LIMIT_REACHED" }));
    expect(size).toBeLessThan(20);
  });
});

describe("a message of the gateway", () => {
  const session = someone().widgets[0]!;
  const valid: Record<string, unknown>[] = [
    { type: "connected", userId: "a", nodeId: "n", heartbeatMs: 1, resumeWindowMs: 1 },
    { type: "opened", id: 1, sessionId: "s", resumed: true },
    { type: "closed", sessionId: "s", cause: "kicked" },
    { type: "snapshot", id: 1, view: "v", version: 1, data: { a: someone() }, more: true },
    { type: "resumed", id: 1, view: "v", version: 1 },
    { type: "diff", view: "v", version: 1, data: { a: someone(), b: null }, causes: { b: "closed" } },
    { type: "result", id: 1, data: { a: someone() } },
    { type: "draining", reconnectInMs: 1 },
    { type: "error", id: 1, code: "FORBIDDEN", message: "", view: "v" },
  ];

  it("is read as it is", () => {
    for (const message of valid) expect(readMessage(JSON.stringify(message))).toEqual(message);
  });

  it.each([
    ["no JSON", "{"],
    ["nothing", ""],
    ["no object", "[]"],
    ["null", "null"],
    ["binary", new ArrayBuffer(2)],
    ["too long", `"${"x".repeat(17 * 1024 * 1024)}"`],
    ["infinite", '{"type":"draining","reconnectInMs":1e400}'],
    ["negative", '{"type":"draining","reconnectInMs":-1}'],
    ["a fraction", '{"type":"draining","reconnectInMs":0.5}'],
    ["no version", JSON.stringify({ ...valid[3], version: 2 ** 53 })],
    [
      "no session",
      JSON.stringify({
        ...valid[6],
        data: { a: { ...someone(), widgets: [{ ...session, custom: { a: 1 } }] } },
      }),
    ],
    ["nobody", JSON.stringify({ ...valid[6], data: { ["x".repeat(256)]: someone() } })],
    ["null for a user in a snapshot", JSON.stringify({ ...valid[3], data: { a: null } })],
  ])("is refused that is %s", (_, data) => {
    expect(() => readMessage(data)).toThrow(expect.objectContaining({ code: "PROTOCOL" }));
  });

  it("is let be when it is of a type not known yet", () => {
    for (const type of ["new", "__proto__", "constructor", "toString", 5, null, undefined]) {
      expect(readMessage(JSON.stringify({ type }))).toBeUndefined();
    }
  });
});
