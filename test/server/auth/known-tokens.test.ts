import { expect, it } from "vitest";
import { type Credentials, KnownTokens, MAX_KNOWN_TOKENS } from "../../../src/server/auth/known-tokens.ts";

it("knows a token by its whole text, and only the latest ones", () => {
  const known = new KnownTokens();
  const credentials: Credentials = {
    principal: { kind: "app", exp: undefined },
    signer: { fingerprint: "x" },
  };
  for (let i = 0; i <= MAX_KNOWN_TOKENS; i++) known.add(`a.b.${i}`, credentials);
  expect(known.get("a.b.0")).toBeUndefined();
  expect(known.get("a.b.1")).toBe(credentials);
  for (const other of ["a.b.1 ", "a.b.", "a.b", "A.b.1"]) expect(known.get(other)).toBeUndefined();
});
