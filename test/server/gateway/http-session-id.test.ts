import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { idProblem } from "../../../src/protocol/rules.ts";
import { httpSessionId, isHttpSession } from "../../../src/server/gateway/http-session-id.ts";

it("the id follows from user and key, and each pair has its own", () => {
  const pairs = [
    ["alice", "bot"],
    ["alice", "bot2"],
    ["bot", "alice"],
    ["2alice", "bot"],
    ["alice2", "bot"],
    ["é", "bot"],
    ["__proto__", "bot"],
  ] as const;
  const ids = pairs.map(([userId, key]) => httpSessionId(userId, key));
  expect(new Set(ids).size).toBe(pairs.length);
  expect(ids).toEqual(pairs.map(([userId, key]) => httpSessionId(userId, key)));
  for (const id of ids) {
    expect(idProblem(id)).toBe(undefined);
    expect(isHttpSession(id)).toBe(true);
  }
});

it("no other session has such an id", () => {
  for (let i = 0; i < 1_000; i++) expect(isHttpSession(makeId())).toBe(false);
});
