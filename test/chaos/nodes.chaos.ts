import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { hasRedis } from "../programs/redis-server.ts";
import { PROJECT } from "../support/process.ts";
import { SEED } from "../support/seed.ts";

// A short run of `npm run chaos -- --nodes 3`. Each seed selects other faults.

const seed = Number(process.env.CHAOS_SEED ?? SEED);

it.skipIf(!hasRedis())(
  `chaos over three nodes that share a Redis breaks no promise (--seed ${seed})`,
  async () => {
    const args = ["--nodes", "3", "--seed", String(seed), "--minutes", "0.6"];
    const child = spawn(process.execPath, ["dist/dev/test/chaos/run.js", ...args], { cwd: PROJECT });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (data) => {
        output += data;
      });
    const [code] = await once(child, "close");
    process.stdout.write(output);
    expect(output).toContain("all agree");
    expect(code).toBe(0);
  },
  180_000,
);
