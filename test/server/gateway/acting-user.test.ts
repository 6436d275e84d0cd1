import { expect, it } from "vitest";
import type { Principal } from "../../../src/server/auth/principal.ts";
import { actingUser } from "../../../src/server/gateway/acting-user.ts";
import type { Reply } from "../../../src/server/gateway/reply.ts";

function act(principal: Principal, userId?: string) {
  const said: unknown[] = [];
  const reply: Reply = {
    send: (message) => void said.push(message),
    ok: (id) => void said.push(["ok", id]),
    error: (id, code) => void said.push([id, code]),
    badMessage: (id, _message, issues) => void said.push([id, ...(issues ?? []).map(({ path }) => path)]),
  };
  return [actingUser(reply, { id: 7, userId }, principal), ...said];
}

const APP: Principal = { kind: "app", exp: undefined };
const ALICE: Principal = { kind: "user", userId: "alice", grant: { kind: "all" }, exp: undefined };

it("users act for themselves, and back ends for the user whom they name", () => {
  expect(act(ALICE)).toEqual(["alice"]);
  expect(act(ALICE, "alice")).toEqual(["alice"]);
  expect(act(ALICE, "bob")).toEqual([undefined, [7, "FORBIDDEN"]]);
  expect(act(APP, "bob")).toEqual(["bob"]);
  expect(act(APP)).toEqual([undefined, [7, "userId"]]);
});
