import { describe, expect, it } from "vitest";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { runChaos } from "./run-chaos.ts";

// A short run of `npm run chaos` with both transports in parallel, because most of it is waiting.

const seed = Number(process.env.CHAOS_SEED ?? SEED);
const MINUTES = "0.6";

describe("chaos", () => {
  it.concurrent.each(TRANSPORTS.map((transport, i) => ({ transport, seed: seed + i })))(
    "over $transport breaks no promise (--seed $seed)",
    async ({ transport, seed }) => {
      const args = ["--transport", transport, "--seed", String(seed), "--minutes", MINUTES];
      const { code, output } = await runChaos(args);
      expect(output).toContain("all agree");
      expect(code, output).toBe(0);
    },
    600_000,
  );
});
