import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { PAGE_BYTES } from "../../../src/server/gateway/pages.ts";
import { ResultPages } from "../../../src/server/gateway/result-pages.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

function pagesOf(pages: ResultPages) {
  const all = [pages.nextPage()];
  while (all.at(-1)!.more) all.push(pages.nextPage());
  return all;
}

it("of nobody is one empty page", () => {
  expect(pagesOf(new ResultPages(compile({}), new Table()))).toEqual([{ members: [], more: false }]);
});

it("have each user once, in pages of a bounded size", () => {
  const table = new Table();
  const state = { ...NEW_SESSION, custom: { x: "x".repeat(200) } };
  const users = 2_000;
  for (let i = 0; i < 2 * users; i++) table.open(`s${i}`, `u${i % users}`, "widget", state, undefined);
  const pages = pagesOf(new ResultPages(compile({}), table));
  expect(pages.length).toBeGreaterThan(5);
  for (const { members } of pages) {
    expect(members.reduce((sum, entry) => sum + entry.length + 1, 0)).toBeLessThanOrEqual(PAGE_BYTES);
  }
  const ids = pages.flatMap(({ members }) => Object.keys(JSON.parse(`{${members.join(",")}}`)));
  expect([ids.length, new Set(ids).size]).toEqual([users, users]);
});

it("are worked on a little at a time where very many sessions are of users who are not in the result", () => {
  const table = new Table();
  const state = { ...NEW_SESSION, selectedConversationId: "room" };
  // A visible widget elsewhere: the user's background sessions in the room do not count.
  table.open("w", "mallory", "widget", { ...NEW_SESSION, selectedConversationId: "elsewhere" }, undefined);
  for (let i = 0; i < 10_000; i++) table.open(`s${i}`, "mallory", "background", state, undefined);
  table.open("a", "alice", "widget", state, undefined);
  const filter = compile({ selectedConversationId: "room", includeBackgroundSessions: true });
  const pages = new ResultPages(filter, table);
  let page = pages.tryNextPage();
  let tries = 1;
  for (; page === undefined; tries++) page = pages.tryNextPage();
  expect(tries).toBeGreaterThan(1);
  expect(Object.keys(JSON.parse(`{${page.members.join(",")}}`))).toEqual(["alice"]);
});
