import { describe, expect, it } from "vitest";
import { CountDiff, EntriesDiff } from "../../../src/core/views/diff.ts";

describe("a diff", () => {
  const entries = ['"alice":{"status":"online"}', '"bob":null'];

  it("is encoded with whole values, and with patches where there are some", () => {
    const patches = ['"alice":{"changed":{}}', '"bob":null'];
    const diff = new EntriesDiff("view", 2, entries, patches, '"bob":"closed"');
    const head = '{"type":"diff","view":"view","version":2,"data":';
    const tail = ',"causes":{"bob":"closed"}}';
    expect(diff.whole()).toBe(`${head}{${entries.join(",")}}${tail}`);
    expect(diff.patch).toBe(`${head}{${patches.join(",")}}${tail}`);
  });

  it("has no patch where all values are whole", () => {
    expect(new EntriesDiff("view", 2, entries, undefined, "").patch).toBeUndefined();
    expect(new CountDiff(2, "a count").patch).toBeUndefined();
  });

  it("counts all that it keeps", () => {
    const length = (patches?: string[]) => new EntriesDiff("view", 2, entries, patches, "").length;
    expect(length()).toBeGreaterThan(entries.join("").length);
    expect(length(["x".repeat(1_000)])).toBeGreaterThan(length() + 1_000);
    expect(new CountDiff(2, "a count").length).toBe(7);
  });
});
