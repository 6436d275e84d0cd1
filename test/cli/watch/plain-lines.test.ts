import { beforeEach, expect, test } from "vitest";
import { PlainLines } from "../../../src/cli/watch/plain-lines.ts";
import { someone } from "../../support/sdk.ts";

const NOW = new Date(2026, 0, 1, 9, 8, 7);
const inRoom = someone("s", { selectedConversationId: "c1" });
let lines: string[];
let output: PlainLines;

beforeEach(() => {
  lines = [];
  output = new PlainLines(
    (text) => lines.push(text),
    () => NOW,
  );
});

test("prints a line per user of the first snapshot, and then one per change", () => {
  output.change(new Map([["alice", inRoom]]), { entered: ["alice"], updated: [], left: [] });
  output.change(
    new Map([
      ["alice", someone("s", { isTyping: true })],
      ["bob", inRoom],
    ]),
    { entered: ["bob"], updated: ["alice"], left: [{ userId: "carol", cause: "timeout" }] },
  );
  expect(lines).toEqual([
    "09:08:07 alice is there: c1\n",
    "09:08:07 carol left: timeout\n",
    "09:08:07 bob entered: c1\n",
    "09:08:07 alice changed: -, typing\n",
  ]);
});

test("reports an empty first snapshot", () => {
  output.change(new Map(), { entered: [], updated: [], left: [] });
  expect(lines).toEqual(["09:08:07 nobody\n"]);
});

test("reports once that the connection is lost, and once that it is back", () => {
  output.status("connected", {}, undefined);
  output.status("reconnecting", {}, "closed: 1006");
  output.status("connecting", {}, "connect ECONNREFUSED");
  output.status("reconnecting", {}, "connect ECONNREFUSED");
  output.status("connected", {}, undefined);
  output.status("reconnecting", {}, undefined);
  expect(lines).toEqual([
    "09:08:07 connection lost (closed: 1006), reconnecting\n",
    "09:08:07 connected again\n",
    "09:08:07 connection lost (closed), reconnecting\n",
  ]);
});

test("prints control characters of a user id as escapes", () => {
  output.change(new Map([["\x1b[2J\n", inRoom]]), { entered: ["\x1b[2J\n"], updated: [], left: [] });
  expect(lines).toEqual(["09:08:07 \\u{1b}[2J\\u{a} is there: c1\n"]);
});
