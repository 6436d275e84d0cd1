import { expect, it } from "vitest";
import { tokenWarning } from "../../../src/dashboard/model/token-warning.ts";

const MINUTE = 60_000;
const AT = 1_000 * MINUTE;
const ends = { token: "a.b.c", appId: "my-app", expiresAt: AT };
const endless = { token: "a.b.c", appId: "my-app" };

it.each([
  ["long before its end: nothing", ends, false, AT - 11 * MINUTE, { kind: "none" }],
  ["ten minutes before its end", ends, false, AT - 10 * MINUTE, { kind: "ends", at: AT }],
  ["after its end", ends, false, AT, { kind: "ended", at: AT }],
  ["after its end, refused", ends, true, AT + MINUTE, { kind: "ended", at: AT }],
  ["refused while it should be good", ends, true, AT - 9 * MINUTE, { kind: "refused" }],
  ["one without an end: nothing", endless, false, AT, { kind: "none" }],
  ["one without an end, refused", endless, true, AT, { kind: "refused" }],
])("%s", (_name, credentials, isRefused, now, warning) => {
  expect(tokenWarning(credentials, isRefused, now)).toEqual(warning);
});
