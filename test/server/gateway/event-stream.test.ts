import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { EventStream, parsePosition } from "../../../src/server/gateway/event-stream.ts";
import { Subscription } from "../../../src/server/gateway/subscription.ts";
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

describe("a stream with a defect", () => {
  let releases: number;
  let ends: number;
  let world: World;
  const open = () =>
    new EventStream(
      world.node,
      world.presence,
      { principal: { kind: "app", exp: undefined }, signer: { fingerprint: "secret" } },
      new CompiledFilter(FilterSchema.parse({})),
      undefined,
      { buffered: 0, progress: 0, send: () => true, end: () => {}, terminate: () => void ends++ },
      { release: () => void releases++ },
    );
  const defect = () => {
    throw new Error("a defect");
  };

  beforeEach(() => {
    world = new World();
    releases = ends = 0;
  });
  afterEach(() => void vi.restoreAllMocks());

  it("gives its place back, even if its subscription fails to end", () => {
    const stream = open();
    vi.spyOn(world.presence.liveViews, "detach").mockImplementation(defect);
    expect(() => stream.onClose()).toThrow("a defect");
    expect(releases).toBe(1);
    expect(world.node.debugCounts()).toMatchObject({ managedConnections: 0, timers: 0 });
  });

  it("is ended if it fails to start, and leaves nothing behind", () => {
    const crashed = vi.spyOn(world.node.telemetry, "crashed").mockImplementation(() => {});
    vi.spyOn(Subscription.prototype, "requestSnapshot").mockImplementation(defect);
    open().onClose();
    expect([releases, ends, crashed.mock.calls.length]).toEqual([1, 1, 1]);
    expect(world.node.debugCounts()).toMatchObject({ managedConnections: 0, timers: 0 });
    expect(world.presence.subscriptions).toBe(0);
  });
});
