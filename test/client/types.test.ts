import { expectTypeOf, it } from "vitest";
import type {
  LeaveCause,
  PresenceErrorCode,
  PresenceFilter,
  PresenceSession,
  PresenceValue,
  SessionField,
  ValueOf,
} from "../../src/client/index.ts";
import type { ErrorCode, LeaveCause as WireLeaveCause } from "../../src/protocol/codes.ts";

it("the SDK has causes and codes of its own beside those of the wire", () => {
  expectTypeOf<LeaveCause>().toEqualTypeOf<WireLeaveCause | "unknown">();
  expectTypeOf<Exclude<PresenceErrorCode, ErrorCode>>().toEqualTypeOf<
    "DISCONNECTED" | "PROTOCOL" | "TOKEN" | "TIMEOUT" | "CLOSED"
  >();
});

it("a value has what the fields of its filter ask for", () => {
  // As `query` and `subscribe` take a filter. Only the type of the result is of interest.
  const listed = <const Filter extends PresenceFilter>(_: Filter) => ({}) as ValueOf<Filter>;
  const someFields: SessionField[] = [];
  const anyFilter: PresenceFilter = {};
  expectTypeOf(listed({ isTyping: true })).toEqualTypeOf<PresenceValue>();
  expectTypeOf(listed(anyFilter)).toEqualTypeOf<PresenceValue>();
  expectTypeOf(listed({ fields: [] })).toEqualTypeOf<Omit<PresenceValue, "widgets" | "backgroundSessions">>();
  expectTypeOf(listed({ fields: ["isTyping"] }).widgets).toEqualTypeOf<
    readonly Pick<PresenceSession, "isTyping">[]
  >();
  expectTypeOf(listed({ fields: someFields }).widgets).toEqualTypeOf<readonly Partial<PresenceSession>[]>();
});
