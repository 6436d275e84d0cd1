import { build } from "vite";
import { PROJECT } from "./process.ts";

export interface BundleOptions {
  readonly minify?: boolean;
  /** As libraries are while one develops, with their warnings. */
  readonly development?: boolean;
  /** The folder whose packages are found; the project's unless it is given, and there `presence-gateway/…` is what was built last. */
  readonly root?: string;
}

/** One module with all that this file imports, as an application's bundler makes it. */
export async function bundle(entryPath: string, options: BundleOptions = {}): Promise<string> {
  const { minify = false, development = false, root = PROJECT } = options;
  const mode = development ? "development" : "production";
  const built = await build({
    configFile: false,
    envFile: false,
    logLevel: "silent",
    mode,
    root,
    // Ours is "test" here, which no page's is.
    define: { "process.env.NODE_ENV": JSON.stringify(mode) },
    build: {
      write: false,
      minify,
      target: "es2023",
      modulePreload: false,
      rolldownOptions: { input: entryPath, output: { format: "es", codeSplitting: false } },
    },
  });
  const outputs = [built].flat().flatMap((result) => ("output" in result ? result.output : []));
  const [chunk, ...others] = outputs;
  if (chunk?.type !== "chunk" || others.length > 0) {
    throw new Error(`${entryPath} made ${outputs.map(({ fileName }) => fileName).join(", ") || "nothing"}`);
  }
  return chunk.code;
}
