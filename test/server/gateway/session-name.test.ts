import { expect, it } from "vitest";
import { MADE_ID_LENGTH } from "../../../src/protocol/rules.ts";
import { idOfName } from "../../../src/server/gateway/session-name.ts";

it("a named session has one id on every node, and no other session has it", () => {
  const ids = [
    idOfName("app", "alice", "widget", "new:1"),
    idOfName("app", "alice", "background", "new:1"),
    idOfName("app", "alice", "widget", "new:2"),
    idOfName("app", "alicew", "widget", "new:1"),
    idOfName("appa", "lice", "widget", "new:1"),
    idOfName('app","alice', "x", "widget", "new:1"),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  // Nodes of different versions must agree.
  expect(ids[0]).toBe("c_fqgK8GKuiOzf-FhH3hd");
  for (const id of ids) expect(id).toMatch(new RegExp(`^[\\w-]{${MADE_ID_LENGTH}}$`));
});
