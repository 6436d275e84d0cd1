import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { filterBytes, HYDRATE_AT_ONCE, minResultBytes } from "../../../src/core/views/view-size.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

it("one user with a long entry does not make a large view look too large for others", () => {
  const table = new Table();
  const views = new ViewRegistry(table, 50, () => "view");
  const users = 20_000;
  const state = { ...NEW_SESSION, selectedConversationId: "\u4e2d".repeat(250) };
  for (let i = 0; i < 100; i++) table.open(`m${i}`, "mallory", "widget", state, undefined);
  for (let i = 0; i < users; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
  const view = views.acquire(compile({}));
  const early = views.bytesOf(view);
  expect(view.isHydrating).toBe(true);
  while (views.isHydrating) views.hydrateMore();
  const bytes = view.members().reduce((sum, member) => sum + member.length + 96, 0);
  for (const estimate of [early, views.bytesOf(view)]) {
    expect(estimate).toBeGreaterThan(0.85 * bytes);
    expect(estimate).toBeLessThan(1.05 * bytes);
  }
});

it("a view by user, status or custom may be much smaller than the sessions that match otherwise", () => {
  const table = new Table();
  for (let i = 0; i <= HYDRATE_AT_ONCE; i++) table.open(`s${i}`, `u${i}`, "widget", NEW_SESSION, undefined);
  expect(minResultBytes(compile({}), table)).toBeGreaterThan(HYDRATE_AT_ONCE);
  // As many as there are may be asked for.
  expect(minResultBytes(compile({ status: ["online", "idle", "away", "busy", "dnd"] }), table)).toBe(
    minResultBytes(compile({}), table),
  );
  for (const filter of [
    { status: ["online"] },
    { status: ["busy"] },
    { custom: { plan: ["gold"] } },
    { userIds: ["u1"] },
  ]) {
    expect(minResultBytes(compile(filter), table), JSON.stringify(filter)).toBe(0);
  }
});

it("a filter is charged for the values that it names", () => {
  const values = Array.from({ length: 16 }, (_, i) => `${i}`.padEnd(512, "x"));
  const plain = filterBytes(compile({}));
  const bytes = filterBytes(compile({ custom: { a: values, b: values, c: values, d: values } }));
  // In its set and in the key of the filter.
  expect(bytes - plain).toBeGreaterThan(4 * 16 * 2 * 512);
});
