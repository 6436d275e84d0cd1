import { expect, it } from "vitest";
import { Shards } from "../../../src/server/cluster/shards.ts";

const USERS = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);

it("all users of a plain app are in one shard, which does not depend on the other apps", () => {
  const shards = new Shards(8, [{ id: "app" }, { id: "other" }]);
  const [shard] = shards.of("app");
  expect(new Set(USERS.map((userId) => shards.find("app", userId)))).toEqual(new Set([shard]));
  expect(new Shards(8, [{ id: "app" }]).of("app")).toEqual([shard]);
});

it("a large app is spread over as many shards as it says, evenly", () => {
  const shards = new Shards(8, [{ id: "large", shards: 4 }]);
  const own = shards.of("large");
  expect(new Set(own).size).toBe(4);
  for (const shard of own) expect(shard).toBeLessThan(8);
  for (const shard of own) {
    const count = USERS.filter((userId) => shards.find("large", userId) === shard).length;
    expect(count).toBeGreaterThan(USERS.length / 8);
  }
});

it("a node follows the shards of its apps", () => {
  const shards = new Shards(256, [{ id: "a", shards: 2 }, { id: "b" }]);
  expect([...shards.used].sort()).toEqual([...new Set([...shards.of("a"), ...shards.of("b")])].sort());
});

it("an app that the node does not serve is in no shard", () => {
  const shards = new Shards(8, [{ id: "app" }]);
  expect(shards.of("nobody's")).toEqual([]);
  expect(shards.find("nobody's", "alice")).toBeUndefined();
});

it("nodes of all versions agree on the shards", () => {
  const shards = new Shards(256, [{ id: "demo" }, { id: "é👩", shards: 3 }]);
  expect([shards.of("demo"), shards.of("é👩")]).toEqual([[54], [86, 87, 88]]);
  expect(shards.find("é👩", "alice")).toBe(88);
});

it("an app that comes later is where it would have been from the start", () => {
  const shards = new Shards(8, [{ id: "a" }]);
  shards.add({ id: "large", shards: 3 });
  expect(shards.of("large")).toEqual(new Shards(8, [{ id: "large", shards: 3 }]).of("large"));
  expect([...shards.used].sort()).toEqual([...new Set([...shards.of("a"), ...shards.of("large")])].sort());
});
