import { describe, expect, it } from "vitest";
import { CLOSE, retryPolicy } from "../../src/protocol/codes.ts";

describe("codes", () => {
  it("of closing fit into a close frame, and each has one retry rule", () => {
    for (const { code, reason, retry } of Object.values(CLOSE)) {
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
      expect(retryPolicy(code)).toBe(retry);
    }
  });

  it("that no gateway sends count as a lost connection", () => {
    for (const code of [1000, 1001, 1005, 1006, 1007, 1015, 3000, 4000, 4999])
      expect(retryPolicy(code)).toBe("backoff");
  });
});
