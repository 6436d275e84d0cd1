import { type Handout, readHandout } from "../../src/development.ts";

/** Something that the person who started the demo can mend: shown as one line. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

/** The gateway to fill: the one in development mode on this machine, or the one that the environment names. */
export async function findGateway(env: NodeJS.ProcessEnv): Promise<Handout> {
  const { GATEWAY_URL: url, APP_ID: appId, APP_SECRET: secret } = env;
  if (url || appId || secret) {
    if (!url || !appId || !secret)
      throw new DemoError("set GATEWAY_URL, APP_ID and APP_SECRET, or none of them");
    const named = { url: url.replace(/\/+$/, ""), appId, secret };
    if (await readStats(named)) return named;
    throw new DemoError(`no gateway at ${named.url} answers for that app and secret`);
  }
  const port = Number(env.PORT || 8080);
  const handout = readHandout(port);
  // One that was killed has left its file behind.
  if (handout !== undefined && (await readStats(handout))) return handout;
  throw new DemoError(
    `no gateway in development mode is running on port ${port}; start one first: npm start`,
  );
}

export interface Stats {
  readonly users: number;
  readonly typing: number;
}

/** What the gateway says of its table; undefined if it does not answer. */
export async function readStats({ url, appId, secret }: Handout): Promise<Stats | undefined> {
  try {
    const response = await fetch(`${url}/v1/${encodeURIComponent(appId)}/stats`, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(2_000),
    });
    return response.ok ? ((await response.json()) as Stats) : undefined;
  } catch {
    return undefined;
  }
}
