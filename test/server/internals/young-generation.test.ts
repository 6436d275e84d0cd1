import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { SEMI_SPACE_MIB } from "../../../src/server/internals/young-generation.ts";
import { sourceModule } from "../../support/source-module.ts";

const MIB = 2 ** 20;
const CHANGED = "V8 sizes the young generation in another way: see internals/young-generation.ts";

/** Sizes of one half of the young generation in MiB. What is allocated survives, so V8 would let it grow. */
const script = (module: string, limit: string) => `
import { limitYoungGeneration, semiSpaceBytes } from ${JSON.stringify(module)};
const sizes = [];
const look = () => sizes.push(Math.round(semiSpaceBytes() / ${MIB}));
look();
const young = ${limit};
look();
const allocate = async () => {
  const kept = [];
  for (let turn = 0; turn < 100; turn++) {
    for (let i = 0; i < 10_000; i++) kept.push({ text: "row " + i });
    await new Promise((resolve) => setImmediate(resolve));
  }
  look();
};
await allocate();
young?.stop();
await allocate();
process.stdout.write(JSON.stringify(sizes));
`;

async function sizesIn(limit: string, ...flags: string[]): Promise<number[]> {
  const module = await sourceModule("src/server/internals/young-generation.ts");
  const args = [...flags, "--input-type=module", "-e", script(module, limit)];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { PATH: process.env.PATH } });
  return JSON.parse(stdout);
}

it("the young generation has its size at once, keeps it under load, and grows beyond it when told to", async () => {
  const [atStart, limited, loaded, stopped] = await sizesIn("limitYoungGeneration()");
  expect(atStart, CHANGED).toBeLessThan(SEMI_SPACE_MIB);
  expect(limited, CHANGED).toBe(SEMI_SPACE_MIB);
  expect(loaded, CHANGED).toBeLessThanOrEqual(SEMI_SPACE_MIB);
  expect(stopped, CHANGED).toBeGreaterThan(SEMI_SPACE_MIB);
});

it("without the limit V8 lets it grow, so the limit is of use", async () => {
  const [atStart, unlimited, loaded] = await sizesIn("undefined");
  expect(unlimited, CHANGED).toBe(atStart);
  expect(loaded, CHANGED).toBeGreaterThan(SEMI_SPACE_MIB);
});

it.each([
  ["the command line", "limitYoungGeneration()"],
  ["NODE_OPTIONS", 'limitYoungGeneration([], "--max_semi_space_size=2")'],
])("a size that %s sets is left alone", async (_where, limit) => {
  const [atStart, limited, loaded] = await sizesIn(limit, "--max-semi-space-size=2");
  expect(limited).toBe(atStart);
  expect(loaded, CHANGED).toBeLessThanOrEqual(2);
});
