import { expect, it } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import {
  BACK_END,
  type Grant,
  mayAskAbout,
  mayWatch,
  type Principal,
} from "../../../src/server/auth/principal.ts";

const user = (grant: Grant): Principal => ({ kind: "user", userId: "alice", grant, exp: undefined });
const SOME = user({
  kind: "some",
  userIds: new Set(["bob"]),
  conversationIds: new Set(["c1"]),
  counts: false,
});

it.each<[unknown, boolean]>([
  [{}, false],
  [{ userIds: [] }, true],
  [{ userIds: ["alice"] }, true],
  [{ userIds: ["alice", "bob"] }, true],
  [{ userIds: ["alice", "carol"] }, false],
  [{ selectedConversationId: "c1" }, true],
  [{ selectedConversationId: "c1", userIds: ["carol"] }, true],
  [{ selectedConversationId: "c2" }, false],
  [{ selectedConversationId: "c2", userIds: ["bob"] }, true],
  [{ selectedConversationId: null }, false],
])("the filter %j is allowed to a user with some grants: %s", (filter, isAllowed) => {
  const compiled = new CompiledFilter(FilterSchema.parse(filter));
  expect(mayWatch(SOME, compiled)).toBe(isAllowed);
  expect(mayWatch(user({ kind: "all" }), compiled)).toBe(true);
  expect(mayWatch({ kind: "app", exp: undefined }, compiled)).toBe(true);
});

it("a client may ask about its own user and about granted ones", () => {
  for (const principal of [BACK_END, user({ kind: "all" })])
    expect(mayAskAbout(principal, ["alice", "carol"])).toBe(true);
  for (const userIds of [[], ["alice"], ["bob", "alice"]]) expect(mayAskAbout(SOME, userIds)).toBe(true);
  for (const userIds of [["carol"], ["alice", "carol"], ["c1"]])
    expect(mayAskAbout(SOME, userIds)).toBe(false);
});
