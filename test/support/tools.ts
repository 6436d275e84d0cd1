import { spawnSync } from "node:child_process";

/** Whether there is a program to test with. In CI it is a failure if not; elsewhere it is told what is not tested. */
export function hasTool(name: string, isIt: (version: string) => boolean = () => true): boolean {
  const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  if (status === 0 && isIt(stdout)) return true;
  if (process.env.CI) throw new Error(`${name} is not installed`);
  process.stdout.write(`what needs ${name} is not tested: it is not installed\n`);
  return false;
}
