import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toCsv, toJson } from "../../../src/dashboard/model/export-text.ts";
import { changedRow } from "../../../src/dashboard/model/row.ts";
import { contextAt, rowOf, session, value } from "./values.ts";

const AT = Date.UTC(2026, 0, 31, 9, 5);
const alice = changedRow(
  "alice",
  {
    ...value(
      [session({ sessionId: "w", selectedConversationId: "c,1", isTyping: true, custom: { plan: "gold" } })],
      [session({ sessionId: "b", hasFocus: true })],
    ),
    ...{ status: "busy", statusText: "=2", statusEmoji: "🎧" },
  },
  contextAt(AT),
);
const bob = rowOf("bob", value([session({ sessionId: "x" })]));

/** A reader of CSV that has nothing in common with the writer. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  while (cell.lastIndex < text.length) {
    const [, quoted, plain, end] = cell.exec(text)!;
    lines.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!);
    if (end === "\r\n") lines.push([]);
  }
  return lines.slice(0, -1);
}

describe("CSV", () => {
  it("has a line for each session, and is read by a spreadsheet as UTF-8", () => {
    const text = toCsv([alice, bob]);
    expect(text.startsWith("\ufeffuser,status,status text,status emoji,attention,")).toBe(true);
    const [, ...lines] = parseCsv(text.slice(1));
    const at = "2026-01-31T09:05:00.000Z";
    expect(lines).toEqual([
      [
        "alice",
        "busy",
        "'=2",
        "🎧",
        "typing",
        at,
        "widget",
        "c,1",
        at,
        "no",
        "yes",
        '{"plan":"gold"}',
        at,
        "w",
      ],
      ["alice", "busy", "'=2", "🎧", "typing", at, "background", "", at, "yes", "no", "{}", at, "b"],
      [
        "bob",
        "online",
        "",
        "",
        "visible",
        "before 1970-01-01T00:00:00.000Z",
        "widget",
        "",
        "before 1970-01-01T00:00:00.000Z",
        "no",
        "no",
        "{}",
        "",
        "x",
      ],
    ]);
  });

  it.each(["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])(
    "%j is no formula in a spreadsheet",
    (text) => {
      const [, line] = parseCsv(
        toCsv([rowOf(text, value([session({ selectedConversationId: text })]))]).slice(1),
      );
      expect([line![0], line![7]]).toEqual([`'${text}`, `'${text}`]);
    },
  );

  it("is read as it was written, whatever the text", () => {
    const text = fc.string({ unit: "binary-ascii" }).filter((id) => !/^[=+\-@\t\r\n＝＋－＠]/.test(id));
    fc.assert(
      fc.property(text, text, (userId, id) => {
        const [, line] = parseCsv(
          toCsv([rowOf(userId, value([session({ selectedConversationId: id })]))]).slice(1),
        );
        expect([line![0], line![7]]).toEqual([userId, id]);
      }),
    );
  });
});

describe("JSON", () => {
  it("has the users, what they match, and when it was made", () => {
    const head = { appId: "acme", at: AT, filter: { isTyping: true }, search: "ali" };
    expect(JSON.parse(toJson(head, [alice]))).toMatchObject({
      appId: "acme",
      exportedAt: "2026-01-31T09:05:00.000Z",
      filter: { isTyping: true },
      search: "ali",
      users: [
        {
          userId: "alice",
          status: "busy",
          statusText: "=2",
          statusEmoji: "🎧",
          attention: "typing",
          online: { since: "2026-01-31T09:05:00.000Z", isExact: true },
          sessions: [
            { kind: "widget", sessionId: "w", selectedConversationId: "c,1", custom: { plan: "gold" } },
            { kind: "background", sessionId: "b", hasFocus: true },
          ],
        },
      ],
    });
  });

  it("says of a time that is only a bound that it is one, and of no change that there was none", () => {
    const { users } = JSON.parse(toJson({ appId: "acme", at: AT, filter: {}, search: "" }, [bob]));
    expect(users[0]).toMatchObject({
      changedAt: null,
      online: { since: "1970-01-01T00:00:00.000Z", isExact: false },
    });
  });
});
