import { beforeEach, expect, test } from "vitest";
import { JsonLines } from "../../../src/cli/watch/json-lines.ts";
import { someone } from "../../support/sdk.ts";

const alice = someone();
let text: string;
let output: JsonLines;
const parsed = () =>
  text
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));

beforeEach(() => {
  text = "";
  output = new JsonLines((part) => {
    text += part;
  });
});

test("prints the first snapshot as one line, and then one line per change", () => {
  output.change(new Map([["alice", alice]]), { entered: ["alice"], updated: [], left: [] });
  output.change(
    new Map([
      ["alice", alice],
      ["bob", alice],
    ]),
    { entered: ["bob"], updated: ["alice"], left: [{ userId: "carol", cause: "closed" }] },
  );
  expect(parsed()).toEqual([
    { type: "snapshot", data: { alice } },
    { type: "left", userId: "carol", cause: "closed" },
    { type: "entered", userId: "bob", value: alice },
    { type: "updated", userId: "alice", value: alice },
  ]);
});

test("reports once that the connection is lost, and once that it is back", () => {
  output.status("connected", {}, undefined);
  output.status("reconnecting", {}, "closed: 1006");
  output.status("reconnecting", {}, "connect ECONNREFUSED");
  output.status("connected", {}, undefined);
  output.status("reconnecting", {}, undefined);
  expect(parsed()).toEqual([
    { type: "status", status: "reconnecting", problem: "closed: 1006" },
    { type: "status", status: "connected" },
    { type: "status", status: "reconnecting" },
  ]);
});

test("a line stays one line without control characters, whatever a user is called", () => {
  const userId = "\x1b[2J\r\n\u202e";
  output.change(new Map([[userId, alice]]), { entered: [userId], updated: [], left: [] });
  expect(text).toMatch(/^[^\p{Cc}\p{Bidi_Control}]+\n$/u);
  expect(parsed()).toEqual([{ type: "snapshot", data: { [userId]: alice } }]);
});
