import { expect, it } from "vitest";
import { KnownTokens, MAX_KNOWN_TOKENS } from "../../../src/server/auth/known-tokens.ts";

it("knows a token by its whole text, and only the latest ones", () => {
  const known = new KnownTokens();
  const principal = { kind: "app", exp: undefined } as const;
  for (let i = 0; i <= MAX_KNOWN_TOKENS; i++) known.add(`a.b.${i}`, principal);
  expect(known.get("a.b.0")).toBeUndefined();
  expect(known.get("a.b.1")).toBe(principal);
  for (const other of ["a.b.1 ", "a.b.", "a.b", "A.b.1"]) expect(known.get(other)).toBeUndefined();
});
