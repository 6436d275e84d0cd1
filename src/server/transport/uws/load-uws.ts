import { createRequire } from "node:module";
import { setUwsHeaderLimit } from "../../internals/uws-header-limit.ts";
import { MAX_HEADER_BYTES } from "../transport.ts";
import type { UwsModule } from "./uws-types.ts";

export type LoadedUws =
  | { readonly uws: UwsModule; readonly source: string }
  /** Why there is none, a line for each candidate. */
  | { readonly uws: undefined; readonly reasons: readonly string[] };

/**
 * Names of builds that may load here, best first: the one that the user installed, then ours, newest first.
 */
export function uwsCandidates(platform: string, arch: string, nodeVersion: string): string[] {
  const packaged = `uwsjs-${platform}-${arch}-${Number.parseInt(nodeVersion, 10)}`;
  return ["uWebSockets.js", `${packaged}-next`, packaged];
}

/**
 * Loads the first build that loads. Many machines have none: a native library must fit platform, Node and
 * libc.
 */
export function loadUws(
  require: (name: string) => unknown = createRequire(import.meta.url),
  candidates: readonly string[] = uwsCandidates(process.platform, process.arch, process.versions.node),
): LoadedUws {
  setUwsHeaderLimit(MAX_HEADER_BYTES);
  const reasons: string[] = [];
  for (const name of candidates) {
    try {
      return { uws: require(name) as UwsModule, source: name };
    } catch (error) {
      const [reason = ""] = error instanceof Error ? error.message.split("\n") : [];
      const isMissing = (error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND";
      reasons.push(`${name}: ${isMissing ? "not installed" : reason}`);
    }
  }
  return { uws: undefined, reasons };
}
