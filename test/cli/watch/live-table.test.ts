import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { displayWidth } from "../../../src/cli/terminal-text.ts";
import { LiveTable, renderLive } from "../../../src/cli/watch/live-table.ts";
import { Screen } from "../../../src/cli/watch/screen.ts";
import type { PresenceValue } from "../../../src/client/types.ts";
import { someone } from "../../support/sdk.ts";

const value = (fields: Record<string, unknown> = {}) =>
  someone("s", { selectedConversationId: "c1", ...fields });

function crowd(count: number): Map<string, PresenceValue> {
  return new Map(Array.from({ length: count }, (_, i) => [`user-${count - i}`, value()]));
}

const NOTHING = { entered: [], updated: [], left: [] };
const texts = (state: Parameters<typeof renderLive>[0], columns: number, rows: number) =>
  renderLive(state, columns, rows).map(({ text }) => text);

test("lists users in the order of their names", () => {
  const snapshot = new Map([
    ["user-10", value({ hasFocus: true, isTyping: true })],
    ["user-9", value({ selectedConversationId: null })],
  ]);
  expect(texts({ title: "demo at http://x", status: "connected", snapshot }, 80, 24)).toEqual([
    "demo at http://x · connected",
    "2 online · 1 looking · 1 typing",
    "",
    "USER     STATUS  CONVERSATION  FOCUS  TYPING  WIDGETS  BACKGROUND",
    "user-9   online  -             -      -       1        0",
    "user-10  online  c1            yes    yes     1        0",
  ]);
});

test("fits every terminal, and counts the hidden users", () => {
  const snapshot = crowd(100);
  for (const [columns, rows] of [
    [80, 24],
    [20, 8],
    [5, 3],
    [1, 1],
    [200, 200],
  ] as const) {
    const written: string[] = [];
    const screen = new Screen({ columns, rows, write: (text) => written.push(text) });
    screen.draw(renderLive({ title: "demo", status: "connected", snapshot }, columns, rows));
    const lines = written
      .join("")
      .replace(/\x1b\[[?\d;]*\w/g, "")
      .split("\r\n");
    expect(lines.length).toBeLessThanOrEqual(rows);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(columns);
  }
  expect(texts({ title: "", status: "", snapshot }, 80, 24).at(-1)).toBe("… and 81 more");
});

test("sends only the codes of the screen to the terminal, whatever users are called", () => {
  const snapshot = new Map([["\x1b]52;c;ZXZpbA==\x07\u202e", value({ selectedConversationId: "\x9b2J" })]]);
  const written: string[] = [];
  const screen = new Screen({ columns: 120, rows: 24, write: (text) => written.push(text) });
  screen.draw(renderLive({ title: "\x1b[2J", status: "x", snapshot }, 120, 24));
  screen.leave();
  const rest = written.join("").replace(/\x1b\[(\?(1049|25|7|2026)[hl]|H|J|K|0m|1m)|\r\n/g, "");
  expect(rest).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
  expect(rest).toContain("\\u{1b}]52;c;ZXZpbA==\\u{7}\\u{202e}");
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("draws at most a few times per second, counts down to the next retry, and draws nothing after its end", () => {
  const written: string[] = [];
  const screen = new Screen({ columns: 100, rows: 24, write: (text) => written.push(text) });
  const table = new LiveTable(screen, "demo");
  const frames = () => written.splice(0).filter((text) => text.includes("demo"));
  table.status("connected", {}, undefined);
  vi.advanceTimersByTime(1);
  expect(frames()).toHaveLength(1);
  for (let i = 0; i < 100; i++) {
    table.change(crowd(3), NOTHING);
    vi.advanceTimersByTime(10);
  }
  expect(frames().length).toBeLessThanOrEqual(6);
  table.status("reconnecting", { retryInMs: 3_000 }, "connect ECONNREFUSED");
  vi.advanceTimersByTime(200);
  expect(frames().at(-1)).toContain("reconnecting (connect ECONNREFUSED), next try in 3 s: this may be old");
  vi.advanceTimersByTime(2_000);
  expect(frames().at(-1)).toContain("next try in 1 s");
  table.end();
  expect(written.splice(0)).toEqual(["\x1b[?7h\x1b[?25h\x1b[?1049l"]);
  table.change(crowd(2), NOTHING);
  table.end();
  vi.advanceTimersByTime(5_000);
  expect(written).toEqual([]);
});
