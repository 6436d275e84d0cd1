import { expect, it } from "vitest";
import { HeldMessages } from "../../../src/server/gateway/held-messages.ts";

it("keeps texts in their order, up to so many bytes, and counts short ones for what they take", () => {
  const held = new HeldMessages({ type: "connect", token: "x" }, 10, 5, () => {});
  expect(held.add("one", 3, 300)).toBe(true);
  expect(held.add("two", 100, 300)).toBe(true);
  expect(held.add("three", 6, 300)).toBe(false);
  expect(held.texts).toEqual([
    { text: "one", byteLength: 3 },
    { text: "two", byteLength: 100 },
  ]);
});
