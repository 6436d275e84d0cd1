import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { keysOf, SCRIPTS } from "../../../src/server/cluster/redis-scripts.ts";

it("the keys of a shard share the tag that keeps them in one slot, and no other shard has it", () => {
  const tagOf = (key: string) => /\{(.*?)\}/.exec(key)?.[1];
  for (const shard of [0, 255]) {
    expect(new Set(Object.values(keysOf(shard)).map(tagOf))).toEqual(new Set([String(shard)]));
  }
  const keys = [0, 1].flatMap((shard) => Object.values(keysOf(shard)));
  expect(new Set(keys).size).toBe(10);
});

it("the layout of the keys is that of all versions so far", () => {
  expect(keysOf(3)).toEqual({
    log: "presence:1:{3}:log",
    rows: "presence:1:{3}:rows",
    nodes: "presence:1:{3}:nodes",
    profiles: "presence:1:{3}:profiles",
    kept: "presence:1:{3}:kept",
  });
});

it("each script has the hash by which Redis knows it", () => {
  const scripts = Object.values(SCRIPTS);
  expect(new Set(scripts.map(({ sha }) => sha)).size).toBe(scripts.length);
  for (const { text, sha } of scripts) expect(sha).toBe(createHash("sha1").update(text).digest("hex"));
});
