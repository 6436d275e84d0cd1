import { spawnSync } from "node:child_process";

/**
 * Whether a program is installed. A missing program is an error in CI. Elsewhere the run reports what it
 * skips.
 */
export function hasTool(name: string, isIt: (version: string) => boolean = () => true): boolean {
  const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  if (status === 0 && isIt(stdout)) return true;
  if (process.env.CI) throw new Error(`${name} is not installed`);
  process.stdout.write(`what needs ${name} is not tested: it is not installed\n`);
  return false;
}
