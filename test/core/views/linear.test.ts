import { expect, it, vi } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { View } from "../../../src/core/views/view.ts";
import { ViewRegistry } from "../../../src/core/views/view-registry.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { ResultPages } from "../../../src/server/gateway/result-pages.ts";

// A user may have many sessions and be in no result. What is looked at is linear in the sessions all the
// same: counted in calls, not in time.

const SESSIONS = 1_000;

/**
 * A user with a visible widget elsewhere, whose background sessions in a room therefore count for nothing.
 */
function hiddenInRoom() {
  const table = new Table();
  const widget = table.open(
    "w",
    "mallory",
    "widget",
    { ...NEW_SESSION, selectedConversationId: "elsewhere" },
    undefined,
  );
  for (let i = 0; i < SESSIONS; i++) {
    table.open(
      `s${i}`,
      "mallory",
      "background",
      { ...NEW_SESSION, selectedConversationId: "room" },
      undefined,
    );
  }
  const filter = new CompiledFilter(
    FilterSchema.parse({ selectedConversationId: "room", includeBackgroundSessions: true }),
  );
  return { table, filter, widget, matches: vi.spyOn(filter, "matches") };
}

it("a query checks each session of a user who is not in the result once or twice", () => {
  const { table, filter, matches } = hiddenInRoom();
  expect(new ResultPages(filter, table).nextPage()).toEqual({ members: [], more: false });
  expect(matches.mock.calls.length).toBeLessThanOrEqual(2 * (SESSIONS + 1));
});

it("so does a new view", () => {
  const { table, filter, matches } = hiddenInRoom();
  const view = new View("v", filter, table);
  while (!view.hydrate(100));
  expect(view.size).toBe(0);
  expect(matches.mock.calls.length).toBeLessThanOrEqual(2 * (SESSIONS + 1));
});

it("a change of visibility visits each view once or twice, however many sessions the user has there", () => {
  const { table } = hiddenInRoom();
  let names = 0;
  const views = new ViewRegistry(table, 50, () => `v${names++}`);
  const view = views.acquire(
    new CompiledFilter(
      FilterSchema.parse({ selectedConversationId: "room", includeBackgroundSessions: true }),
    ),
  );
  const markDirty = vi.spyOn(view, "markDirty");
  const change = table.update(table.get("w")!, { ...NEW_SESSION, visible: false })!;
  expect(change.visibilityFlipped).toBe(true);
  views.markDirty(change, 0);
  expect(markDirty.mock.calls.length).toBeLessThanOrEqual(2);
  expect(markDirty.mock.calls.length).toBeGreaterThan(0);
});
