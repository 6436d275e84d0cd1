import { execFile } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe } from "vitest";
import { PROJECT } from "./process.ts";

const NETWORK_ERROR =
  /\b(?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED)\b/;

/** A suite about the published package, which is the same on every version of Node. One version runs it. */
export function describePackage(name: string, suite: () => void): void {
  if (process.env.PACKAGE_TESTS !== "off") return void describe(name, suite);
  process.stdout.write(`not tested: ${name} (PACKAGE_TESTS=off)\n`);
  describe.skip(name, suite);
}

export interface Ran {
  /** 0 means success. */
  readonly code: number;
  readonly stdout: string;
  /** Standard output and standard error together. */
  readonly output: string;
}

/** Runs a program in a folder, as from a user's shell and not as part of this project's `npm test`. */
export async function run(folder: string, file: string, args: readonly string[], env = {}): Promise<Ran> {
  const { NODE_ENV, ...inherited } = process.env;
  const own = Object.entries(inherited).filter(
    ([name]) => !/^(?:npm_(?!config_)|VITEST)|^INIT_CWD$/.test(name),
  );
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, {
      cwd: folder,
      env: { ...Object.fromEntries(own), ...env },
      timeout: 110_000,
    });
    return { code: 0, stdout, output: stdout + stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "", message } = error as Error & Partial<Record<string, string>>;
    if (typeof code !== "number") throw error;
    return { code, stdout, output: stdout + stderr || message };
  }
}

/** A temporary folder, by its real path, because compilers and bundlers identify files by that. */
export function temporaryFolder(): string {
  return realpathSync(mkdtempSync(join(tmpdir(), "presence-gateway-package-")));
}

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export interface Packed {
  /** Path of the tarball. */
  readonly path: string;
  readonly size: number;
  readonly files: readonly PackedFile[];
}

/** What npm says of a tarball that it has made. */
interface PackReport extends Omit<Packed, "path"> {
  readonly name: string;
  readonly filename: string;
}

/** The folder of each published package. */
export const PACKAGES = {
  "presence-gateway": ".",
  "@presence-gateway/client": "src/client",
  "@presence-gateway/react": "src/react",
} as const;
export type PackageName = keyof typeof PACKAGES;

/** Makes the tarballs to publish from the last build, in the order of the names. */
export async function pack(folder: string, names: readonly PackageName[]): Promise<Packed[]> {
  // Without scripts, because a new build would remove `dist` while other tests use it. One npm makes all.
  const quiet = ["--json", "--ignore-scripts", "--loglevel=error"];
  const paths = names.map((name) => `./${PACKAGES[name]}`);
  const args = ["pack", ...paths, ...quiet, "--pack-destination", folder];
  const { code, stdout, output } = await run(PROJECT, "npm", args);
  if (code !== 0) throw new Error(output);
  const made = JSON.parse(stdout) as PackReport[];
  return names.map((name) => {
    const { filename, size, files } = made.find((each) => each.name === name)!;
    return { path: join(folder, filename), size, files };
  });
}

/**
 * An application that contains only our packages with their dependencies, and packages lent from this
 * project.
 */
export class InstalledProject {
  readonly folder = temporaryFolder();

  /** Resolves with a reason if the registry is unreachable, so the application cannot be installed. */
  async install(names: readonly PackageName[]): Promise<string | undefined> {
    return await this.installPacked(await pack(this.folder, names));
  }

  /** Installs tarballs that were made before. */
  async installPacked(packed: readonly Packed[]): Promise<string | undefined> {
    this.write("package.json", JSON.stringify({ name: "application", private: true, type: "module" }));
    // npm's own timeout, made short, so that a machine without a network does not wait.
    const retries = ["--fetch-retries=2", "--fetch-retry-mintimeout=500", "--fetch-retry-maxtimeout=1000"];
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    // React is lent from this project.
    const own = ["--prefer-offline", "--ignore-scripts", "--legacy-peer-deps"];
    const args = ["install", ...own, ...quiet, ...retries, ...packed.map(({ path }) => path)];
    const { code, output } = await run(this.folder, "npm", args);
    if (code === 0) return undefined;
    const [reason] = NETWORK_ERROR.exec(output) ?? [];
    if (reason !== undefined && !process.env.CI) return `the registry can't be reached, ${reason}`;
    throw new Error(output);
  }

  /** Copies packages of this project into the application, or into a folder of it. */
  lend(names: readonly string[], folder = "."): void {
    for (const name of names) {
      const link = join(this.folder, folder, "node_modules", name);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(PROJECT, "node_modules", name), link, "junction");
    }
  }

  /** Resolves with the path of the file. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.folder, name), "utf8");
  }

  /** Path of the program that the package contains. */
  get program(): string {
    return join(this.folder, "node_modules/.bin/presence-gateway");
  }

  run(file: string, args: readonly string[], env = {}): Promise<Ran> {
    return run(this.folder, file, args, env);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
