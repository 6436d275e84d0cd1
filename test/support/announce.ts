import { SEED } from "./seed.ts";

/** Runs once, before all test files. */
export function setup(): void {
  process.stdout.write(`what is random begins with MODEL_SEED=${SEED}; npm run test:explore tries others\n`);
}
