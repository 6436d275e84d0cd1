import { spawnSync } from "node:child_process";

/** Why tests that need a program cannot run here. In CI a missing one is an error. */
export function whyNoTool(name: string, isIt: (version: string) => boolean = () => true): string | undefined {
  const { status, stdout } = spawnSync(name, ["--version"], { encoding: "utf8" });
  if (status === 0 && isIt(stdout)) return undefined;
  if (process.env.CI) throw new Error(`${name} is not installed`);
  return `${name} is not installed`;
}
