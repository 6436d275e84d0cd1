import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** Path of the program; undefined if it is not installed. */
export function findSockudo(): string | undefined {
  // The last folder is where `cargo install` puts it.
  const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), ".cargo/bin")];
  return folders.map((folder) => join(folder, "sockudo")).find((path) => existsSync(path));
}

export function sockudoVersion(program: string): string {
  const { stdout } = spawnSync(program, ["--version"], { encoding: "utf8" });
  return /\d+\.\d+\.\d\S*/.exec(stdout ?? "")?.[0] ?? "of unknown version";
}
