import { expect, it, vi } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { EventStream, parsePosition } from "../../../src/server/gateway/event-stream.ts";
import { World } from "../../fuzz/targets/world.ts";

it("reads the position that a reader of a stream sends back", () => {
  expect(parsePosition("view_-1:42")).toEqual({ view: "view_-1", version: 42 });
});

it.each([
  undefined,
  "",
  "view",
  "view:",
  ":1",
  "view:-1",
  "view:1.5",
  "view:1 ",
  "a:b:1",
  `view:${"9".repeat(16)}`,
])("takes %j for no position", (text) => expect(parsePosition(text)).toBeUndefined());

it("gives its place back, even if its subscription fails to end", () => {
  const world = new World();
  let releases = 0;
  const stream = new EventStream(
    world.node,
    world.presence,
    { principal: { kind: "app", exp: undefined }, signer: { fingerprint: "secret" } },
    new CompiledFilter(FilterSchema.parse({})),
    undefined,
    { buffered: 0, progress: 0, send: () => true, end: () => {}, terminate: () => {} },
    { release: () => void releases++ },
  );
  vi.spyOn(world.presence.liveViews, "detach").mockImplementation(() => {
    throw new Error("a defect");
  });
  expect(() => stream.onClose()).toThrow("a defect");
  expect(releases).toBe(1);
  expect(world.node.debugCounts()).toMatchObject({ managedConnections: 0, timers: 0 });
});
