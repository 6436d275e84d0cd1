import type { PresenceFilter } from "../../client/types.ts";

/** The `curl` line that asks what the page shows, for a POSIX shell. Without a token it takes `$TOKEN` from there. */
export function curlLine(origin: string, appId: string, filter: PresenceFilter, token?: string): string {
  const url = `${origin}/v1/${encodeURIComponent(appId)}/presences`;
  const authorization =
    token === undefined ? `"authorization: Bearer $TOKEN"` : quote(`authorization: Bearer ${token}`);
  return [
    `curl -s ${quote(url)}`,
    `-H ${authorization}`,
    `-H ${quote("content-type: application/json")}`,
    // --data-raw: nothing in it names a file, whatever it begins with.
    `--data-raw ${quote(JSON.stringify(filter))}`,
  ].join(" ");
}

/** One word of a shell, whatever is in it: only a quote ends a quote. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
