import { expect, it } from "vitest";
import { z } from "zod";
import { length } from "../../src/protocol/bounds.ts";

const Text = z.string().check(length(1, 3, "must have 1 to 3 characters"));

it.each(["a", "abc"])("takes %j, which is within the bounds", (text) => {
  expect(Text.safeParse(text).success).toBe(true);
});

it.each(["", "abcd"])("refuses %j, and says why", (text) => {
  expect(Text.safeParse(text).error!.issues).toMatchObject([{ message: "must have 1 to 3 characters" }]);
});

it("does not throw for an object in the place of a text whose length cannot be compared", () => {
  const [text, list] = [Text, z.array(z.string()).check(length(0, 3, "too long"))];
  for (const schema of [text, list]) {
    expect(schema.safeParse(JSON.parse('{"length":{"toString":null}}')).success).toBe(false);
  }
});
