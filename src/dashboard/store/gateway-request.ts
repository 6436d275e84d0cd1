import type { Credentials } from "../model/credentials.ts";
import { gatewayAddress } from "./address.ts";

const TIMEOUT_MS = 10_000;

export interface GatewayRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Below the path of the app. */
  readonly path: string;
  /** The user that it is about. In the query, because browsers change paths with an id such as `..`. */
  readonly userId?: string;
  readonly body?: object;
}

/** The gateway refuses, or does not respond. The message is a sentence for the person at the page. */
export class GatewayRequestError extends Error {
  /** The HTTP status; undefined without a response. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }
}

/**
 * Sends a request to the gateway. Resolves with the body of the response.
 *
 * @throws GatewayRequestError
 */
export async function requestGateway<Body>(
  { appId, token }: Credentials,
  { method, path, userId, body }: GatewayRequest,
): Promise<Body> {
  const query = userId === undefined ? "" : `?${new URLSearchParams({ userId })}`;
  const response = await fetch(`${gatewayAddress()}/v1/${encodeURIComponent(appId)}/${path}${query}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined);
  const answer: unknown = await response?.json().catch(() => undefined);
  if (response?.ok && answer !== undefined) return answer as Body;
  if (response === undefined || response.ok) {
    throw new GatewayRequestError("The gateway does not respond. It may have done it.", undefined);
  }
  throw new GatewayRequestError(
    `The gateway refuses, with status ${response.status}${reasonsOf(answer)}.`,
    response.status,
  );
}

function reasonsOf(answer: unknown): string {
  const { reasons } = (answer ?? {}) as { readonly reasons?: Readonly<Record<string, readonly string[]>> };
  const texts = Object.entries(reasons ?? {}).map(([field, why]) => `${field} ${[why].flat().join(", ")}`);
  return texts.length === 0 ? "" : `: ${texts.join("; ")}`;
}
