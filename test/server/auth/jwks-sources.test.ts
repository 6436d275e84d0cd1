import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { JwksSources } from "../../../src/server/auth/jwks-sources.ts";

function world() {
  const asked: string[] = [];
  const ends: ((text: string) => void)[] = [];
  const sources = new JwksSources({
    fetchText: (url) => {
      asked.push(url);
      return new Promise((resolve) => ends.push(resolve));
    },
    now: () => 0,
    wallNow: () => 0,
    events: { fetched: () => {}, failed: () => {} },
  });
  return { asked, ends, sources };
}

it("has one source for each URL, which fetches at once, and again only after it was forgotten", () => {
  const { asked, sources } = world();
  const a = sources.of("https://a.example/");
  expect(sources.of("https://a.example/")).toBe(a);
  sources.of("https://b.example/");
  expect(asked).toEqual(["https://a.example/", "https://b.example/"]);
  sources.keepOnly(new Set(["https://a.example/"]));
  expect(sources.of("https://a.example/")).toBe(a);
  sources.of("https://b.example/");
  expect(asked).toEqual(["https://a.example/", "https://b.example/", "https://b.example/"]);
});

it("fetches only so many at the same time, the others in their turn", async () => {
  const { asked, ends, sources } = world();
  for (let i = 0; i < 40; i++) sources.of(`https://a.example/${i}`);
  await nextTurn();
  expect(asked).toHaveLength(32);
  for (let i = 0; i < 40; i++) {
    ends[i]!('{"keys":[]}');
    await nextTurn();
    expect(asked).toHaveLength(Math.min(40, 33 + i));
  }
});
