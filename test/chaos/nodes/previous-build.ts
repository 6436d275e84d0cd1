import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * The build that replaces nodes, and that nodes replace. Update it with each release. The next one is built
 * with `tsc -p src` and has no tsconfig.build.json.
 */
export const PREVIOUS_COMMIT = "528b16ea25ea470ed6a26e694ceb325c72da8196";

/** The project's folder, where `npm run` starts, as for the current build. */
const PROJECT = process.cwd();

/** The program of the previous build, made from git; undefined if git does not have that commit. */
export function previousProgram(): string | undefined {
  const folder = join(tmpdir(), `presence-gateway-${PREVIOUS_COMMIT.slice(0, 7)}`);
  const program = join(folder, "dist/main.js");
  const packages = join(folder, "node_modules");
  if (existsSync(program)) {
    // The linked packages belong to the clone that made the build. That clone may be deleted by now.
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
  // The dashboard is not needed. Without its folder the program reports that.
  mkdirSync(join(scratch, "dist/dashboard"), { recursive: true });
  try {
    renameSync(scratch, folder);
  } catch {
    // Another run was faster.
    rmSync(scratch, { recursive: true, force: true });
  }
  return program;
}
