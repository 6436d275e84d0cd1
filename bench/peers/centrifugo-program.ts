import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Path of the program; undefined if it is not installed. */
export function findCentrifugo(): string | undefined {
  // The last folder is where `go install` puts it.
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), "go/bin")];
  return folders.map((folder) => join(folder, "centrifugo")).find((path) => existsSync(path));
}

/** A program that `go install` has built does not know its version, but Go does. */
export function centrifugoVersion(program: string): string {
  const own = / v(\d\S*)/.exec(outputOf(program, "version"))?.[1];
  if (own !== undefined && own !== "0.0.0") return own;
  return /\bmod\s+\S+\s+v(\S+)/.exec(outputOf("go", "version", "-m", program))?.[1] ?? "of unknown version";
}

function outputOf(command: string, ...args: readonly string[]): string {
  return spawnSync(command, args, { encoding: "utf8" }).stdout ?? "";
}
