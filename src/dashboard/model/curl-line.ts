import type { PresenceFilter } from "../../client/types.ts";

/**
 * A `curl` command for a POSIX shell that runs the page's query. `gateway` is the base address of the
 * gateway. Without a token the command uses the shell's `$TOKEN`.
 */
export function curlLine(gateway: string, appId: string, filter: PresenceFilter, token?: string): string {
  const url = `${gateway}/v1/${encodeURIComponent(appId)}/presences`;
  const authorization =
    token === undefined ? `"authorization: Bearer $TOKEN"` : quote(`authorization: Bearer ${token}`);
  return [
    `curl -s ${quote(url)}`,
    `-H ${authorization}`,
    `-H ${quote("content-type: application/json")}`,
    // --data-raw, because --data reads a file if the value begins with @.
    `--data-raw ${quote(JSON.stringify(filter))}`,
  ].join(" ");
}

/** Quotes any text as one shell word. Inside single quotes only the single quote is special. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
