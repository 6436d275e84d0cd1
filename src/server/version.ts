import { readFileSync } from "node:fs";

/** The version of the package, from its package.json: two folders up, in src as in dist. */
export const VERSION: string = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
).version;
