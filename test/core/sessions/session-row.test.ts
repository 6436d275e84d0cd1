import { expect, it } from "vitest";
import { FOCUSED_BIT, NEW_SESSION, TYPING_BIT, VISIBLE_BIT } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";

it("is its own state, from the first on", () => {
  const row = new SessionRow("s", new UserRow("alice"), "widget", NEW_SESSION, undefined, undefined);
  expect(row).toMatchObject({ ...NEW_SESSION, flagBits: VISIBLE_BIT });
  const state = {
    ...NEW_SESSION,
    selectedConversationId: "c",
    hasFocus: true,
    isTyping: true,
    custom: { page: "1" },
    customBytes: 12,
  };
  const flagBits = VISIBLE_BIT | FOCUSED_BIT | TYPING_BIT;
  row.setState(state, flagBits);
  expect(row).toMatchObject({ ...state, flagBits });
});
