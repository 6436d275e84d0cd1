import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { CachedResponse } from "../../../src/server/http/cached-response.ts";

const inConversation = (selectedConversationId: string) =>
  patchState(NEW_SESSION, { selectedConversationId });

function tableWith(users: number): Table {
  const table = new Table();
  for (let i = 0; i < users; i++) {
    table.open(`s${i}`, `user-${i}`, "widget", inConversation("c1"), undefined);
  }
  return table;
}

const responseTo = (filter: object) => new CachedResponse(new CompiledFilter(FilterSchema.parse(filter)));
const usersOf = (text: string) => Object.keys(JSON.parse(text).data);

describe("a short response", () => {
  it("is a whole JSON text", () => {
    expect(responseTo({}).read(new Table())).toBe('{"data":{}}');
    expect(usersOf(responseTo({}).read(tableWith(2)) as string)).toEqual(["user-0", "user-1"]);
  });

  it("is made again only after a change in its conversation", () => {
    const table = tableWith(1);
    const response = responseTo({ selectedConversationId: "c1" });
    const first = response.read(table);
    table.open("elsewhere", "bob", "widget", inConversation("c2"), undefined);
    expect(response.read(table)).toBe(first);
    table.open("here", "carol", "widget", inConversation("c1"), undefined);
    expect(usersOf(response.read(table) as string)).toEqual(["user-0", "carol"]);
    table.end(table.get("here")!, "closed");
    expect(response.read(table)).toBe(first);
  });

  it("is never stale where sessions outside the conversation matter to it", () => {
    const table = tableWith(1);
    const response = responseTo({ selectedConversationId: "c1", includeBackgroundSessions: true });
    table.open("b", "bob", "background", inConversation("c1"), undefined);
    expect(usersOf(response.read(table) as string).sort()).toEqual(["bob", "user-0"]);
    // A visible widget elsewhere takes a user out: their background sessions count no more.
    table.open("w", "bob", "widget", inConversation("c2"), undefined);
    expect(usersOf(response.read(table) as string)).toEqual(["user-0"]);
  });
});

describe("a long response", () => {
  const table = tableWith(5_000);

  it("comes in pieces, which together are one JSON text", () => {
    const pieces = responseTo({}).read(table) as Iterator<string>;
    let text = "";
    let count = 0;
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) {
      text += piece.value;
      count++;
    }
    expect(count).toBeGreaterThan(2);
    expect(new Set(usersOf(text)).size).toBe(5_000);
  });

  it("is made as it is taken", () => {
    const shrinking = tableWith(5_000);
    const pieces = responseTo({}).read(shrinking) as Iterator<string>;
    const sessions = [...shrinking.all()];
    for (const session of sessions) shrinking.end(session, "closed");
    let text = "";
    for (let piece = pieces.next(); !piece.done; piece = pieces.next()) text += piece.value;
    const { length } = usersOf(text);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(sessions.length);
  });
});
