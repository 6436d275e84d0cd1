import { expectTypeOf, it } from "vitest";
import type { LeaveCause, PresenceErrorCode } from "../../src/client/index.ts";
import type { ErrorCode, LeaveCause as WireLeaveCause } from "../../src/protocol/codes.ts";

it("the SDK has causes and codes of its own beside those of the wire", () => {
  expectTypeOf<LeaveCause>().toEqualTypeOf<WireLeaveCause | "unknown">();
  expectTypeOf<Exclude<PresenceErrorCode, ErrorCode>>().toEqualTypeOf<
    "DISCONNECTED" | "PROTOCOL" | "TOKEN" | "TIMEOUT" | "CLOSED"
  >();
});
