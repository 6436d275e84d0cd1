import type { Target } from "../target.ts";

export interface Stats {
  readonly users: number;
  readonly typing: number;
}

const PATIENCE_MS = 2_000;

/** What the gateway says of its table; undefined if it does not answer, or not us. */
export async function readStats({ url, appId, secret }: Target): Promise<Stats | undefined> {
  try {
    const response = await fetch(`${url}/v1/${encodeURIComponent(appId)}/stats`, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    return response.ok ? ((await response.json()) as Stats) : undefined;
  } catch {
    return undefined;
  }
}
