import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** The installed version of a package. Throws if it is not installed. */
export function packageVersion(name: string): string {
  return (require(`${name}/package.json`) as { version: string }).version;
}
