import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FOLDER = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "presence-gateway-bench");
/** Path of the program after the build. */
export const CENTRIFUGE = join(FOLDER, "centrifuge");
// At run time this file is in dist/dev/bench/peers.
const SOURCE = fileURLToPath(new URL("../../../../bench/peers/centrifuge", import.meta.url));
const LONGEST_BUILD_MS = 5 * 60_000;

/**
 * Builds the program, which takes a minute or two the first time. Resolves with a reason if the build fails.
 */
export async function buildCentrifuge(): Promise<string | undefined> {
  // The second folder is where Go's installer puts it.
  const PATH = [process.env.PATH, "/usr/local/go/bin"].join(delimiter);
  try {
    await promisify(execFile)("go", ["build", "-o", CENTRIFUGE, "."], {
      cwd: SOURCE,
      env: { ...process.env, PATH, GOTOOLCHAIN: "local", CGO_ENABLED: "0" },
      timeout: LONGEST_BUILD_MS,
    });
    return undefined;
  } catch (error) {
    const { code, stderr, message } = error as Error & { code?: unknown; stderr?: string };
    if (code === "ENOENT") return "it needs Go 1.26 or newer: https://go.dev/dl";
    return `it does not build: ${(stderr || message).trim().split("\n").at(-1)}`;
  }
}

export function centrifugeVersion(): string {
  return /centrifuge (v\S+)/.exec(readFileSync(join(SOURCE, "go.mod"), "utf8"))![1]!;
}
