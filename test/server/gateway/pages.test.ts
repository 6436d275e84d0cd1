import fc from "fast-check";
import { expect, it } from "vitest";
import { joinEntries } from "../../../src/protocol/codec.ts";
import { cutPage, type EntryPage, PAGE_BYTES } from "../../../src/server/gateway/pages.ts";

it("pages hold each entry once, in order, and only a single large entry exceeds the page size", () => {
  const member = fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 1, max: 30_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 200_000 }) },
  );
  fc.assert(
    fc.property(fc.array(member, { maxLength: 30 }), (sizes) => {
      const members = sizes.map((size) => "é".repeat(size / 2));
      const pages: string[] = [];
      for (let from: number | undefined = 0; from !== undefined; ) {
        const page: EntryPage = cutPage(members, from);
        const text = joinEntries("", page.members, "");
        expect(Buffer.byteLength(text) <= PAGE_BYTES || !text.includes(",")).toBe(true);
        pages.push(text);
        from = page.next;
      }
      expect(pages.join(",")).toBe(members.join(","));
    }),
  );
});
