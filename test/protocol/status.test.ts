import { describe, expect, it } from "vitest";
import { StatusSchema } from "../../src/protocol/status.ts";

const problems = (body: unknown) =>
  StatusSchema.safeParse(body).error?.issues.map(({ path, code }) => path.join(".") || code) ?? [];

describe("a status in a body", () => {
  it.each([
    {},
    { availability: null, text: null, emoji: null, expiresInMs: null },
    { availability: "dnd", text: "x".repeat(128), emoji: "👩‍👩‍👧‍👦", expiresInMs: 1_000 },
    { availability: "invisible", text: "", emoji: "", expiresInMs: 31_536_000_000 },
  ])("may be %j", (body) => expect(problems(body)).toEqual([]));

  it.each([
    [{ availability: "online" }, "availability"],
    [{ availability: "" }, "availability"],
    [{ availability: 1 }, "availability"],
    [{ text: "x".repeat(129) }, "text"],
    [{ text: "a\nb" }, "text"],
    [{ text: "\ud800" }, "text"],
    [{ text: 1 }, "text"],
    [{ emoji: "x".repeat(33) }, "emoji"],
    [{ emoji: "\u0085" }, "emoji"],
    [{ expiresInMs: 999 }, "expiresInMs"],
    [{ expiresInMs: 31_536_000_001 }, "expiresInMs"],
    [{ expiresInMs: 1_000.5 }, "expiresInMs"],
    [{ expiresInMs: "1000" }, "expiresInMs"],
    [{ expiresAt: 1 }, "unrecognized_keys"],
    [[], "invalid_type"],
    [null, "invalid_type"],
  ])("may not be %j", (body, path) => expect(problems(body)).toEqual([path]));
});
