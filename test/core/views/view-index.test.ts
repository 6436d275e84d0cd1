import { describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";

const compile = (filter: unknown) => new CompiledFilter(FilterSchema.parse(filter));

describe("an event", () => {
  it("visits no view that it cannot affect, however many there are", () => {
    let names = 0;
    const table = new Table();
    const views = new ViewRegistry(table, 50, () => `view${names++}`);
    let looks = 0;
    for (let i = 0; i < 2_000; i++) {
      const filter = i % 2 === 0 ? { selectedConversationId: `c${i}` } : { userIds: [`u${i}`] };
      const view = views.acquire(compile(filter));
      const markDirty = view.markDirty.bind(view);
      view.markDirty = (...args) => {
        looks++;
        return markDirty(...args);
      };
    }
    const change = table.open(
      "s",
      "u1",
      "widget",
      { ...NEW_SESSION, selectedConversationId: "c2" },
      undefined,
    );
    views.markDirty(change, 0);
    expect(looks).toBe(2);
  });
});
