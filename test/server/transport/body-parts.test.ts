import { expect, it } from "vitest";
import { BodyBudget } from "../../../src/server/http/body-budget.ts";
import { BodyParts } from "../../../src/server/transport/body-parts.ts";

/** Each owner may have 100 bytes. */
const budgetOf100 = () => new BodyBudget(8 * 400);

it("a body is whole in the end, though the library uses the memory of its pieces again", () => {
  const budget = budgetOf100();
  const parts = new BodyParts(budget, "app", 9);
  const memory = Buffer.from("one");
  expect(parts.add(memory)).toBe(true);
  memory.write("two");
  expect(parts.add(memory)).toBe(true);
  expect(budget.bytes).toBe(9);
  expect(String(parts.whole(Buffer.from("end")))).toBe("onetwoend");
  expect(budget.bytes).toBe(0);
});

it("a piece for which there is no room is not kept, and what was kept is given back", () => {
  const budget = budgetOf100();
  const parts = new BodyParts(budget, "app", 60);
  expect(parts.add(Buffer.alloc(60))).toBe(true);
  expect(parts.add(Buffer.alloc(60))).toBe(false);
  expect(budget.bytes).toBe(60);
  parts.release();
  parts.release();
  expect(budget.bytes).toBe(0);
});

it("the memory that is held is charged, and not only the bytes in it", () => {
  const budget = new BodyBudget(8 * 4 * 10_000);
  const holders = Array.from({ length: 3 }, () => new BodyParts(budget, "app", 1_000_000));
  const taken = holders.map((parts) => parts.add(Buffer.of(0)));
  expect(taken).toEqual([true, true, false]);
  expect(budget.bytes).toBe(2 * 4_096);
  for (const parts of holders) parts.release();
  expect(budget.bytes).toBe(0);
});

it("a piece for each byte takes little more than its bytes, and whole pieces stay as they are", () => {
  const budget = new BodyBudget(8 * 4_000_000);
  const text = "0123456789".repeat(5_000);
  const parts = new BodyParts(budget, "app", text.length + 1);
  for (const byte of Buffer.from(text)) expect(parts.add(Buffer.of(byte))).toBe(true);
  expect(budget.bytes).toBe(text.length + 1);
  expect(parts.length).toBe(text.length);
  expect(String(parts.whole(Buffer.alloc(0)))).toBe(text);
  expect(parts.length).toBe(0);
  expect(String(parts.whole(Buffer.from("x")))).toBe("x");
});
