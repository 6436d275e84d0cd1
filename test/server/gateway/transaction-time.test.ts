import { expect, it } from "vitest";
import { TransactionTime } from "../../../src/server/gateway/transaction-time.ts";

it("is that of the innermost open transaction", () => {
  const time = new TransactionTime();
  const outer = time.begin(1);
  expect([outer, time.now]).toEqual([undefined, 1]);
  const inner = time.begin(2);
  expect([inner, time.now]).toEqual([1, 2]);
  time.end(inner);
  expect(time.now).toBe(1);
  time.end(outer);
});

it("throws while no transaction is open", () => {
  const time = new TransactionTime();
  expect(() => time.now).toThrow("inside a transaction only");
  time.end(time.begin(0));
  expect(() => time.now).toThrow("inside a transaction only");
});
