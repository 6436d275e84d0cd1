import { SEED } from "./seed.ts";

/** Once, before all files of tests. */
export function setup(): void {
  process.stdout.write(`what is random begins with MODEL_SEED=${SEED}; npm run test:explore tries others\n`);
}
