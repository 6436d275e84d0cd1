import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { curlLine } from "../../../src/dashboard/model/curl-line.ts";

/** The arguments that a shell passes to `curl`. */
function wordsOf(line: string, token = ""): string[] {
  const script = `curl() { for word; do printf '%s\\0' "$word"; done; }; ${line}`;
  const output = execFileSync("sh", ["-c", script], { env: { TOKEN: token }, encoding: "utf8" });
  return output.split("\0").slice(0, -1);
}

describe("the curl line", () => {
  it("queries with the filter and takes the token from the shell", () => {
    const line = curlLine("https://gateway.example", "my app/1", { isTyping: true });
    expect(line).toBe(
      `curl -s 'https://gateway.example/v1/my%20app%2F1/presences' -H "authorization: Bearer $TOKEN" ` +
        `-H 'content-type: application/json' --data-raw '{"isTyping":true}'`,
    );
    expect(wordsOf(line, "a.b.c")).toContain("authorization: Bearer a.b.c");
  });

  it("contains the token on request", () => {
    expect(wordsOf(curlLine("http://x", "a", {}, "t'o$(k)en"))).toContain("authorization: Bearer t'o$(k)en");
  });

  it.each([
    "it's",
    "'; echo pwned #",
    "$(echo pwned)",
    "`id`",
    '"',
    "\\",
    "a\nb",
    "!!",
    "-o x",
    "@/etc/passwd",
  ])("passes %j unchanged", (text) => {
    const filter = { selectedConversationId: text, userIds: [text] };
    const words = wordsOf(curlLine("http://x", text, filter));
    expect(words).toHaveLength(8);
    expect(JSON.parse(words[7]!)).toEqual(filter);
  });

  it("passes any text unchanged", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((each) => each.isWellFormed());
    fc.assert(
      fc.property(text, (id) => {
        const words = wordsOf(curlLine("http://x", "a", { userIds: [id] }));
        expect(JSON.parse(words[7]!)).toEqual({ userIds: [id] });
      }),
      { numRuns: 50 },
    );
  });
});
