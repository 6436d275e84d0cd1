import { Buffer } from "node:buffer";

export const JWKS_TIMEOUT_MS = 5_000;
export const MAX_JWKS_BYTES = 256 * 1024;

/**
 * Fetches a JWKS: within 5 s, at most 256 KiB, without following a redirect.
 *
 * @throws Error with a message that repeats nothing of the URL or the answer.
 */
export async function fetchJwks(url: string, timeoutMs = JWKS_TIMEOUT_MS): Promise<string> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(LATE), timeoutMs);
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: ending.signal,
      headers: { accept: "application/jwk-set+json, application/json" },
    });
    if (response.status !== 200) throw new Error(`answered with status ${response.status}`);
    return await readText(response);
  } catch (error) {
    throw new Error(messageOf(error));
  } finally {
    clearTimeout(timer);
    // Whatever of the answer was not read is not wanted.
    ending.abort();
  }
}

const LATE = new Error("did not answer in time");

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > MAX_JWKS_BYTES) throw new Error(`answered with more than ${MAX_JWKS_BYTES} bytes`);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Messages of `fetch` may repeat parts of the URL. The code of its cause does not. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "cannot be fetched";
  if (error === LATE || error.message.startsWith("answered with")) return error.message;
  const { code } = (error.cause ?? {}) as NodeJS.ErrnoException;
  return typeof code === "string" ? `cannot be fetched (${code})` : "cannot be fetched";
}
