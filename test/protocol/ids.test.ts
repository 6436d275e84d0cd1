import { expect, it } from "vitest";
import { FilterSchema } from "../../src/protocol/filter.ts";

it("checks no more of a bad list than it reports", () => {
  for (const [bad, length, most] of [
    [1, 1_000, 20],
    ["", 1_000, 20],
    ["", 100_000, 0],
  ] as const) {
    let looks = 0;
    const userIds = new Proxy(Array(length).fill(bad), {
      get(list, key, receiver) {
        if (typeof key === "string" && /^\d+$/.test(key)) looks++;
        return Reflect.get(list, key, receiver);
      },
    });
    const { error } = FilterSchema.safeParse({ userIds });
    expect(error!.issues.length).toBeLessThanOrEqual(10);
    expect(error!.issues[0]!.path[0]).toBe("userIds");
    expect(looks).toBeLessThanOrEqual(most);
  }
});
