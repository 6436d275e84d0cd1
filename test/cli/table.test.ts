import { expect, test } from "vitest";
import { renderTable } from "../../src/cli/table.ts";
import { displayWidth } from "../../src/cli/terminal-text.ts";

const HEADER = ["USER", "CONVERSATION"];

test("columns are as wide as their widest cell", () => {
  expect(
    renderTable(HEADER, [
      ["alice", "c1"],
      ["山田", "-"],
    ]),
  ).toEqual(["USER   CONVERSATION", "alice  c1", "山田   -"]);
});

test("the widest column is cut so that every line fits", () => {
  const rows = [
    ["alice", "a-conversation-with-a-very-long-name"],
    ["bob", "山".repeat(30)],
  ];
  const lines = renderTable(HEADER, rows, 20);
  expect(lines).toEqual(["USER   CONVERSATION", "alice  a-conversati…", "bob    山山山山山山…"]);
  for (const width of [1, 2, 5, 9, 12, 40]) {
    for (const line of renderTable(HEADER, rows, width))
      expect(displayWidth(line)).toBeLessThanOrEqual(width);
  }
});

test("a cell cannot control the terminal", () => {
  const lines = renderTable(HEADER, [["\x1b[1;1Hroot", "c\r\nfake line"]]);
  expect(lines).toHaveLength(2);
  expect(lines.join("")).not.toMatch(/\p{Cc}/u);
});
