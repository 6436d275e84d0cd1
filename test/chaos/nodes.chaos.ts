import { expect, it } from "vitest";
import { whyNoRedis } from "../programs/redis-server.ts";
import { SEED } from "../support/seed.ts";
import { unless } from "../support/unless.ts";
import { runChaos } from "./run-chaos.ts";

// A short run of `npm run chaos -- --nodes 3`. Each seed selects other faults.

const seed = Number(process.env.CHAOS_SEED ?? SEED);

unless(whyNoRedis(), it)(
  `chaos over three nodes that share a Redis breaks no promise (--seed ${seed})`,
  async () => {
    const args = ["--nodes", "3", "--seed", String(seed), "--minutes", "0.6"];
    const { code, output } = await runChaos(args);
    expect(output).toContain("all agree");
    expect(code, output).toBe(0);
  },
  600_000,
);
