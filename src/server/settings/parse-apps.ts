import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { toFieldIssues } from "../../protocol/codec.ts";
import { AppConfig } from "../auth/app.ts";
import { oneLine, quote } from "./one-line.ts";
import { SettingsError } from "./settings-error.ts";

const Apps = z
  .array(AppConfig, { error: 'must be an array such as [{"id":"my-app","secrets":["…"]}]' })
  .check(length(1, 10_000, "must have 1 to 10000 apps"));

/**
 * Checks the list of apps that came from the variable `env`. @throws SettingsError, which repeats no secret.
 */
export function parseApps(value: unknown, env: string): readonly AppConfig[] {
  const result = Apps.safeParse(value);
  if (!result.success) {
    const { issues } = result.error;
    // A field that is missing may be there under a misspelt name, so unknown fields go first.
    const unknown = issues.filter(({ code }) => code === "unrecognized_keys");
    const { path, message } = toFieldIssues(new z.ZodError(unknown.length > 0 ? unknown : issues))[0]!;
    const where = path.length > 0 ? ` at ${oneLine(path.map(String).join("."))}` : "";
    throw new SettingsError(`${env} is not valid${where}: ${oneLine(message)}`);
  }
  const ids = new Set<string>();
  for (const { id } of result.data) {
    if (ids.has(id)) throw new SettingsError(`${env} names the app ${quote(id)} twice`);
    ids.add(id);
  }
  return result.data;
}
