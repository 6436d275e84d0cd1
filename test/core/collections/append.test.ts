import { expect, it } from "vitest";
import { append } from "../../../src/core/collections/append.ts";

it("copies a short list, and extends a longer one in place", () => {
  let list: { n: number }[] = [];
  for (let n = 0; n < 10; n++) {
    const before = list;
    list = append(list, { n });
    expect(list.map((each) => each.n)).toEqual(Array.from({ length: n + 1 }, (_, i) => i));
    expect(list === before).toBe(n >= 4);
  }
});
