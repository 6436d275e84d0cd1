import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cut, displayWidth, pad, visible, visibleJson } from "../../src/cli/terminal-text.ts";

describe("visible", () => {
  test.each([
    ["ESC and its sequences", "a\x1b[2Jb\x1b]0;title\x07", "a\\u{1b}[2Jb\\u{1b}]0;title\\u{7}"],
    ["C1 controls, which some terminals execute", "\x9b31m", "\\u{9b}31m"],
    ["line ends and tabs", "a\r\n\tb\u2028c", "a\\u{d}\\u{a}\\u{9}b\\u{2028}c"],
    ["bidi overrides and isolates", "\u202eecila\u2066", "\\u{202e}ecila\\u{2066}"],
    ["invisible characters", "al\u200bice\u00ad\ufeff", "al\\u{200b}ice\\u{ad}\\u{feff}"],
    ["a joiner outside an emoji", "a\u200db", "a\\u{200d}b"],
    ["half a surrogate pair", "\ud800", "\\u{d800}"],
    ["tags beyond the first plane", "\u{e0061}", "\\u{e0061}"],
  ])("shows %s as an escape", (_name, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  test.each(["alice", "Zoë", "山田", "אבג", "👩‍👩‍👧", "🧑🏽‍🚀", "❤️‍🔥", "e\u0301", "~ \\u{1b}"])(
    "leaves %s",
    (text) => {
      expect(visible(text)).toBe(text);
    },
  );

  test("leaves nothing that controls a terminal, and applying it twice changes nothing more", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const shown = visible(text);
        expect(shown).not.toMatch(/\p{Cc}|\p{Cs}|\p{Bidi_Control}/u);
        expect(visible(shown)).toBe(shown);
      }),
    );
  });
});

test("visibleJson is equivalent JSON without characters that control a terminal", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: "binary" }), fc.string({ unit: "binary" })), (value) => {
      const text = visibleJson(value);
      expect(text).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("cut and pad count columns, not characters", () => {
  expect(cut("alice", 5)).toBe("alice");
  expect(cut("alice", 4)).toBe("ali…");
  expect(cut("山田太郎", 8)).toBe("山田太郎");
  expect(cut("山田太郎", 6)).toBe("山田…");
  expect(cut("👩‍👩‍👧👩‍👩‍👧", 3)).toBe("👩‍👩‍👧…");
  expect(cut("e\u0301e\u0301e\u0301", 2)).toBe("e\u0301…");
  expect(cut("alice", 1)).toBe("…");
  expect(cut("alice", 0)).toBe("");
  expect(pad("山", 4)).toBe("山  ");
  expect(pad("alice", 2)).toBe("alice");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, columns) => {
      expect(displayWidth(cut(text, columns))).toBeLessThanOrEqual(columns);
    }),
  );
});
