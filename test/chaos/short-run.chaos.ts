import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { PROJECT } from "../support/process.ts";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";

// A short run of `npm run chaos` with both transports in parallel, because most of it is waiting.

const seed = Number(process.env.CHAOS_SEED ?? SEED);
const MINUTES = "0.6";

async function run(args: readonly string[]) {
  const child = spawn(process.execPath, args, { cwd: PROJECT });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (data) => {
      output += data;
    });
  const [code] = await once(child, "close");
  return { code, output };
}

describe("chaos", () => {
  it.concurrent.each(TRANSPORTS.map((transport, i) => ({ transport, seed: seed + i })))(
    "over $transport breaks no promise (--seed $seed)",
    async ({ transport, seed }) => {
      const args = ["--transport", transport, "--seed", String(seed), "--minutes", MINUTES];
      const { code, output } = await run(["dist/dev/test/chaos/run.js", ...args]);
      process.stdout.write(output);
      expect(output).toContain("all agree");
      expect(code).toBe(0);
    },
    180_000,
  );
});
