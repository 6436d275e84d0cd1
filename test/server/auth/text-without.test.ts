import { expect, it } from "vitest";
import { textWithout } from "../../../src/server/auth/text-without.ts";

const Short = textWithout((text) => (text.length > 3 ? "must be short" : undefined));

it("takes a text without a problem", () => expect(Short.parse("abc")).toBe("abc"));

it("names the problem, and does not repeat the text", () => {
  const { error } = Short.safeParse("a secret");
  expect(error?.issues.map(({ message }) => message)).toEqual(["must be short"]);
  expect(String(error)).not.toContain("a secret");
});
