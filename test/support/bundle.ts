import { build } from "vite";
import { PROJECT } from "./process.ts";

export interface BundleOptions {
  readonly minify?: boolean;
  /** Builds libraries in development mode, with their warnings. */
  readonly development?: boolean;
  /**
   * The folder whose packages are used. By default that is the project, where `@presence-gateway/…` is the
   * last build.
   */
  readonly root?: string;
  /** Packages that are not bundled. The result imports them. */
  readonly external?: readonly string[];
}

export interface Bundle {
  readonly code: string;
  /** Every file that contributes to the bundle. */
  readonly sources: readonly string[];
}

/** One module with everything that a file imports, as an application's bundler makes it. */
export async function bundle(entryPath: string, options: BundleOptions = {}): Promise<string> {
  return (await bundleWithSources(entryPath, options)).code;
}

/** The same, together with the list of files in it. */
export async function bundleWithSources(entryPath: string, options: BundleOptions = {}): Promise<Bundle> {
  const { minify = false, development = false, root = PROJECT, external = [] } = options;
  const mode = development ? "development" : "production";
  const built = await build({
    configFile: false,
    envFile: false,
    logLevel: "silent",
    mode,
    root,
    // NODE_ENV is "test" here, but never in a page.
    define: { "process.env.NODE_ENV": JSON.stringify(mode) },
    oxc: { jsx: { runtime: "automatic", development } },
    build: {
      write: false,
      minify,
      target: "es2023",
      modulePreload: false,
      rolldownOptions: {
        input: entryPath,
        external: [...external],
        output: { format: "es", codeSplitting: false },
      },
    },
  });
  const outputs = [built].flat().flatMap((result) => ("output" in result ? result.output : []));
  const [chunk, ...others] = outputs;
  if (chunk?.type !== "chunk" || others.length > 0) {
    throw new Error(`${entryPath} made ${outputs.map(({ fileName }) => fileName).join(", ") || "nothing"}`);
  }
  return { code: chunk.code, sources: chunk.moduleIds };
}
