import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Snapshot } from "../../../src/server/gateway/snapshot.ts";

function viewOf(users: number): View {
  const table = new Table();
  const state = { ...NEW_SESSION, custom: { x: "x".repeat(500) } };
  for (let i = 0; i < users; i++) table.open(`s${i}`, `u${i}`, "widget", state, undefined);
  return new View("view", new CompiledFilter(FilterSchema.parse({})), table);
}

const read = (body: string) => JSON.parse(`{${body}`);

it("of few users is one page, which is encoded once", () => {
  const view = viewOf(3);
  view.hydrate(10);
  const snapshot = new Snapshot(view);
  const page = snapshot.page(0)!;
  expect(page.next).toBeUndefined();
  expect(Object.keys(read(page.body).data)).toEqual(["u0", "u1", "u2"]);
  expect(read(page.body)).toMatchObject({ view: "view", version: 1 });
  view.members = () => expect.fail("encoded again");
  expect(snapshot.page(0)).toEqual(page);
});

it("of many users has all of them once, over several pages", () => {
  const view = viewOf(500);
  while (!view.hydrate(1_000));
  const snapshot = new Snapshot(view);
  const ids: string[] = [];
  let pages = 0;
  for (let from: number | undefined = 0; from !== undefined; pages++) {
    const { body, next }: { body: string; next: number | undefined } = snapshot.page(from)!;
    const { data, more } = read(body);
    ids.push(...Object.keys(data));
    expect(more ?? false).toBe(next !== undefined);
    from = next;
  }
  expect(pages).toBeGreaterThan(2);
  expect(ids).toEqual(Array.from({ length: 500 }, (_, i) => `u${i}`));
});

it("waits for a page that is not hydrated yet", () => {
  const view = viewOf(300);
  view.hydrate(200);
  const snapshot = new Snapshot(view);
  let from = 0;
  for (let page = snapshot.page(from); page !== undefined; page = snapshot.page(from)) from = page.next!;
  expect(from).toBeGreaterThan(0);
  while (!view.hydrate(200));
  expect(snapshot.page(from)).toBeDefined();
});
