import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * What nodes are replaced from, and back to. To be moved on with each release; the next one is built with `tsc -p src`,
 * and has no tsconfig.build.json.
 */
export const PREVIOUS_COMMIT = "528b16ea25ea470ed6a26e694ceb325c72da8196";

/** As for the build of now: where `npm run` is. */
const PROJECT = process.cwd();

/** The program of the previous build, made of what git knows; undefined where git does not know that commit. */
export function previousProgram(): string | undefined {
  const folder = join(tmpdir(), `presence-gateway-${PREVIOUS_COMMIT.slice(0, 7)}`);
  const program = join(folder, "dist/main.js");
  const packages = join(folder, "node_modules");
  if (existsSync(program)) {
    // Those of the clone that made it may be gone with the clone.
    if (!existsSync(packages)) {
      rmSync(packages, { force: true });
      symlinkSync(join(PROJECT, "node_modules"), packages);
    }
    return program;
  }
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: PROJECT, maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "ignore"] });
  let archive: Buffer;
  try {
    archive = git("archive", PREVIOUS_COMMIT, "package.json", "tsconfig.json", "tsconfig.build.json", "src");
  } catch {
    return undefined;
  }
  const scratch = mkdtempSync(join(tmpdir(), "presence-gateway-build-"));
  execFileSync("tar", ["-x", "-C", scratch], { input: archive });
  symlinkSync(join(PROJECT, "node_modules"), join(scratch, "node_modules"));
  execFileSync(
    process.execPath,
    [join(PROJECT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.build.json"],
    {
      cwd: scratch,
    },
  );
  // The page is not what it is needed for; without the folder it says so.
  mkdirSync(join(scratch, "dist/dashboard"), { recursive: true });
  try {
    renameSync(scratch, folder);
  } catch {
    // Another run was faster.
    rmSync(scratch, { recursive: true, force: true });
  }
  return program;
}
