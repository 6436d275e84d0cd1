import { describe, expect, it } from "vitest";
import type { BudgetRates } from "../../../src/server/gateway/budget-rates.ts";
import { SharedUse } from "../../../src/server/gateway/shared-use.ts";

const RATES: BudgetRates = {
  messagesPerSecond: 200,
  burstMessages: 400,
  bytesPerSecond: 8_000,
  burstBytes: 16_000,
};
const WORKERS = 2;

/** Sends a message each `everyMs` for a while. Returns how much was told. */
function tell(use: SharedUse, everyMs: number, forMs: number, from = 0, bytes = 0) {
  const told = { messages: 0, bytes: 0 };
  for (let now = from; now < from + forMs; now += everyMs) {
    if (!use.take(bytes, now)) continue;
    const { messages, bytes: size } = use.untold();
    told.messages += messages;
    told.bytes += size;
  }
  return told;
}

describe("the other processes", () => {
  it("know nothing of a user who takes less than the share of this one", () => {
    expect(tell(new SharedUse(RATES, WORKERS, 0), 10, 60_000).messages).toBe(0);
    expect(tell(new SharedUse(RATES, WORKERS, 0), 1_000, 60_000, 0, 900).bytes).toBe(0);
  });

  it("know of everything that a user takes who takes more", () => {
    // 250 a second, of 200 for all.
    expect(tell(new SharedUse(RATES, WORKERS, 0), 4, 4_000).messages).toBe(1_000);
    expect(tell(new SharedUse(RATES, WORKERS, 0), 100, 4_000, 0, 600).bytes).toBe(40 * 600);
  });

  it("know of a burst but for a sixteenth of what it may be", () => {
    const use = new SharedUse(RATES, WORKERS, 0);
    const untold = Array.from({ length: 100 }, () => use.take(0, 0)).indexOf(true);
    expect(untold).toBe(400 / 16);
    expect(use.untold().messages).toBe(100);
  });

  it("know of everything once they take something themselves, until the user is quiet", () => {
    const use = new SharedUse(RATES, WORKERS, 0);
    use.othersTake(0);
    expect(use.take(10, 0)).toBe(true);
    expect(use.untold()).toEqual({ messages: 1, bytes: 10 });
    expect(use.take(10, 60_000)).toBe(false);
  });
});
