import type { Target } from "../target.ts";

export interface Stats {
  readonly users: number;
  readonly typing: number;
}

const TIMEOUT_MS = 2_000;

/** Figures of the app from the gateway; undefined if it does not respond or refuses the request. */
export async function readStats({ url, appId, secret }: Target): Promise<Stats | undefined> {
  try {
    const response = await fetch(`${url}/v1/${encodeURIComponent(appId)}/stats`, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return response.ok ? ((await response.json()) as Stats) : undefined;
  } catch {
    return undefined;
  }
}
