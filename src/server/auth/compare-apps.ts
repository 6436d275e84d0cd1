import { hash } from "node:crypto";
import type { AppConfig } from "./app.ts";

/** What is kept of an app's configuration, to compare it with a later one. It has no secrets. */
export interface AppSummary {
  readonly digest: string;
  readonly shards: number;
  readonly indexedCustom: string;
}

export type AppsDifference =
  | {
      readonly ok: true;
      readonly added: readonly AppConfig[];
      readonly changed: readonly AppConfig[];
      /** The ids of the apps that are not there any more. */
      readonly removed: readonly string[];
    }
  /** The app with this id cannot change like that while it runs. */
  | { readonly ok: false; readonly appId: string; readonly field: "shards" | "indexedCustom" };

export function summarizeApp(config: AppConfig): AppSummary {
  const { shards = 1, indexedCustom = [] } = config;
  return {
    digest: hash("sha256", JSON.stringify(config), "base64url"),
    shards,
    // Their order means nothing.
    indexedCustom: JSON.stringify([...new Set(indexedCustom)].sort()),
  };
}

/** Compares the apps that run, by id, with those that are to run. */
export function compareApps(
  running: ReadonlyMap<string, AppSummary>,
  wanted: readonly AppConfig[],
): AppsDifference {
  const added: AppConfig[] = [];
  const changed: AppConfig[] = [];
  for (const config of wanted) {
    const before = running.get(config.id);
    const after = summarizeApp(config);
    if (before === undefined) added.push(config);
    else if (before.shards !== after.shards) return { ok: false, appId: config.id, field: "shards" };
    else if (before.indexedCustom !== after.indexedCustom) {
      return { ok: false, appId: config.id, field: "indexedCustom" };
    } else if (before.digest !== after.digest) changed.push(config);
  }
  const ids = new Set(wanted.map(({ id }) => id));
  const removed = [...running.keys()].filter((id) => !ids.has(id));
  return { ok: true, added, changed, removed };
}
