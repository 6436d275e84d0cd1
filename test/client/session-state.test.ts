import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createSessionState } from "../../src/client/session-state.ts";
import type { SessionFields } from "../../src/client/types.ts";
import type { SessionPatch } from "../../src/protocol/wire.ts";
import { runs, SEED } from "../support/seed.ts";

/** What a session is, by the rules of docs/protocol.md, naively. */
class Oracle {
  conversation: string | null = null;
  visible = true;
  hasFocus = false;
  isTyping = false;
  custom = new Map<string, string>();

  apply({ visible, hasFocus, isTyping, selectedConversationId, custom }: SessionPatch): void {
    if (visible !== undefined) this.visible = visible;
    if (hasFocus !== undefined) this.hasFocus = hasFocus;
    if (selectedConversationId !== undefined && selectedConversationId !== this.conversation) {
      this.conversation = selectedConversationId;
      this.isTyping = false;
    }
    if (isTyping !== undefined) this.isTyping = isTyping;
    if (custom === null) this.custom.clear();
    for (const [key, value] of Object.entries(custom ?? {})) {
      if (value === null) this.custom.delete(key);
      else this.custom.set(key, value);
    }
  }

  get seen() {
    const { conversation, visible, hasFocus, isTyping } = this;
    return { conversation, visible, hasFocus, isTyping, custom: [...this.custom].sort() };
  }
}

type Step =
  | { readonly do: "set"; readonly fields: SessionFields }
  | { readonly do: "type"; readonly isTyping: boolean }
  | { readonly do: "tell" }
  | { readonly do: "resyncAll" }
  | {
      readonly do: "break";
      readonly arrives: number;
      readonly inBetween: readonly SessionFields[];
      readonly isAnswered: boolean;
    };

const KEYS = ["a", "b", "__proto__", "constructor"];
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const custom = (keys: readonly string[]) =>
  fc.option(fc.dictionary(fc.constantFrom(...keys), fc.option(fc.constantFrom("x", "y", ""))));
const fields = (keys: readonly string[]): fc.Arbitrary<SessionFields> =>
  fc.record({
    visible: maybe(fc.boolean()),
    hasFocus: maybe(fc.boolean()),
    selectedConversationId: maybe(fc.constantFrom("c1", "c2", null)),
    custom: maybe(custom(keys)),
  });
const step = (keys: readonly string[]): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant("set" as const), fields: fields(keys) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("type" as const), isTyping: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant("tell" as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("resyncAll" as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("break" as const),
        arrives: fc.nat(5),
        inBetween: fc.array(fields(keys), { maxLength: 2 }),
        isAnswered: fc.boolean(),
      }),
    },
  );

/** Does the steps at a state of the app, and at a gateway that gets a prefix of what was sent. */
function live(steps: readonly Step[], leftByPageBefore: SessionPatch) {
  const app = new Oracle();
  const gateway = new Oracle();
  const state = createSessionState();
  app.apply(leftByPageBefore);
  gateway.apply(leftByPageBefore);
  /** Sent on this connection, and not yet known to have arrived. */
  let wire: SessionPatch[] = [];
  let selected: string | null | undefined;
  const set = (change: SessionFields) => {
    state.set(change);
    app.apply(change);
    // What the page before had selected is not known: the first conversation is another one.
    if (change.selectedConversationId !== undefined && change.selectedConversationId !== selected) {
      selected = change.selectedConversationId;
      app.isTyping = false;
    }
  };
  const connect = (inBetween: readonly SessionFields[], isAnswered: boolean) => {
    state.resyncAll();
    wire = [state.takePending() ?? {}];
    for (const change of inBetween) set(change);
    if (!isAnswered) return;
    gateway.apply(wire.shift()!);
    state.arrived();
  };
  const tellAll = () => {
    for (let patch = state.takePending(); patch !== undefined; patch = state.takePending()) wire.push(patch);
  };
  connect([], true);
  let isOpen = true;
  for (const each of steps) {
    if (each.do === "set") set(each.fields);
    else if (each.do === "type") {
      state.type(each.isTyping);
      app.apply({ isTyping: each.isTyping });
    } else if (each.do === "tell" && isOpen) {
      const patch = state.takePending();
      if (patch) wire.push(patch);
    } else if (each.do === "resyncAll" && isOpen) state.resyncAll();
    else if (each.do === "break") {
      for (const patch of wire.slice(0, each.arrives)) gateway.apply(patch);
      connect(each.inBetween, each.isAnswered);
      isOpen = each.isAnswered;
    }
  }
  if (!isOpen) connect([], true);
  tellAll();
  for (const patch of wire) gateway.apply(patch);
  return { app: app.seen, gateway: gateway.seen };
}

describe("a session's state", () => {
  const inherited = fc.constantFrom<SessionPatch>(
    {},
    { custom: { a: "old", old: "o" }, selectedConversationId: "c1" },
  );

  it(`ends up at the gateway as the app said, whatever was lost on the way (MODEL_SEED=${SEED})`, () => {
    fc.assert(
      fc.property(fc.array(step(KEYS), { maxLength: 30, size: "max" }), inherited, (steps, before) => {
        const { app, gateway } = live(steps, before);
        expect(gateway).toEqual(app);
      }),
      { numRuns: runs(3_000), seed: SEED },
    );
  });

  it(`also with more deleted keys than are remembered (MODEL_SEED=${SEED})`, () => {
    const many = Array.from({ length: 200 }, (_, i) => `k${i}`);
    const deletes = fc.record({
      do: fc.constant("set" as const),
      fields: fc.record({
        custom: fc
          .subarray(many, { minLength: 1, maxLength: 60 })
          .map((keys) => Object.fromEntries(keys.map((key) => [key, null]))),
      }),
    });
    const sets = fc.record({
      do: fc.constant("set" as const),
      fields: fc.record({
        custom: fc
          .subarray(many, { minLength: 1, maxLength: 3 })
          .map((keys) => Object.fromEntries(keys.map((key) => [key, "v"]))),
      }),
    });
    const steps = fc.array(fc.oneof(deletes, sets, step(many)), { maxLength: 15, size: "max" });
    fc.assert(
      fc.property(steps, (all) => {
        let result: ReturnType<typeof live>;
        try {
          result = live(all, {});
        } catch (error) {
          // More than 32 keys are refused: nothing to compare.
          if (error instanceof TypeError) return;
          throw error;
        }
        expect(result.gateway).toEqual(result.app);
      }),
      { numRuns: runs(1_000), seed: SEED },
    );
  });

  it("keeps a delete that was said after the opening, and lost", () => {
    const { app, gateway } = live(
      [
        { do: "set", fields: { custom: { a: "x" } } },
        { do: "break", arrives: 0, inBetween: [{ custom: { a: null } }], isAnswered: true },
        { do: "tell" },
        { do: "break", arrives: 0, inBetween: [], isAnswered: true },
      ],
      {},
    );
    expect(gateway).toEqual(app);
  });

  it("keeps a clear that was sent, and lost", () => {
    const steps: Step[] = [
      { do: "set", fields: { custom: null } },
      { do: "tell" },
      { do: "break", arrives: 0, inBetween: [], isAnswered: true },
    ];
    const { app, gateway } = live(steps, { custom: { old: "o" } });
    expect(gateway).toEqual(app);
  });

  it("says nothing that is so already, but typing", () => {
    const state = createSessionState();
    state.set({ visible: true, hasFocus: false, selectedConversationId: "c1", custom: { a: "1" } });
    expect(state.takePending()).toEqual({
      visible: true,
      hasFocus: false,
      selectedConversationId: "c1",
      custom: { a: "1" },
    });
    state.set({ visible: true, hasFocus: false, selectedConversationId: "c1" });
    expect(state.takePending()).toBeUndefined();
    state.type(true);
    expect(state.takePending()).toEqual({ isTyping: true });
    state.type(true);
    expect(state.takePending()).toEqual({ isTyping: true });
    state.set({ selectedConversationId: "c2" });
    expect(state.takePending()).toEqual({ isTyping: false, selectedConversationId: "c2" });
  });

  it("refuses what the gateway would, and changes nothing then", () => {
    const state = createSessionState();
    const tooMany = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, ""]));
    const bad: unknown[] = [
      { hasFocus: 1 },
      { visible: "yes" },
      { selectedConversationId: "" },
      { selectedConversationId: "\u0007" },
      { selectedConversationId: 5 },
      { selectedConversationId: "x".repeat(256) },
      { custom: [] },
      { custom: "x" },
      { custom: { a: 1 } },
      { custom: { a: "x".repeat(513) } },
      { custom: { ["x".repeat(65)]: "" } },
      { custom: tooMany },
    ];
    for (const fields of bad) {
      expect(
        () => state.set({ hasFocus: true, custom: { z: "1" }, ...(fields as object) }),
        JSON.stringify(fields),
      ).toThrow(TypeError);
      expect(state.takePending()).toBeUndefined();
    }
    state.set({ custom: Object.fromEntries(Object.entries(tooMany).slice(0, 32)) });
    expect(() => state.set({ custom: { another: "" } })).toThrow(TypeError);
    state.set({ custom: { another: "", k0: null } });
  });

  it("holds a bounded patch, however many keys come and go while nothing can be told", () => {
    const state = createSessionState();
    for (let i = 0; i < 20_000; i++) {
      state.set({ custom: { [`k${i}`]: "x" } });
      state.set({ custom: { [`k${i}`]: null } });
    }
    expect(JSON.stringify(state.takePending()).length).toBeLessThan(3_000);
    state.resyncAll();
    expect(JSON.stringify(state.takePending()).length).toBeLessThan(3_000);
  });

  it("has at most 4096 bytes of custom fields, as the gateway counts them, and is as it was when it is refused more", () => {
    const state = createSessionState();
    // Each of these is six bytes of JSON, or three.
    const custom = { a: "\u0001".repeat(512), b: "€".repeat(300), c: "" };
    custom.c = "x".repeat(4_096 - Buffer.byteLength(JSON.stringify(custom)));
    state.set({ custom });
    const told = state.takePending();
    expect(told).toEqual({ custom });
    expect(() => state.set({ hasFocus: true, custom: { d: "" } })).toThrow("4096 bytes");
    expect(state.takePending()).toBeUndefined();
    state.set({ custom: { c: null, d: "" } });
  });

  it("pollutes nothing", () => {
    const state = createSessionState();
    state.set({ custom: JSON.parse('{"__proto__":"x","constructor":"y"}') });
    state.resyncAll();
    expect(JSON.stringify(state.takePending())).toBe('{"custom":{"__proto__":"x","constructor":"y"}}');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
