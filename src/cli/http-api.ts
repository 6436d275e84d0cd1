import { CliError } from "./cli-error.ts";
import { CHECK_CREDENTIALS, connectionProblem } from "./connection-problem.ts";
import type { Target } from "./target.ts";

/** A request below the path of the app. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Without the app: `users/status`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: object;
}

/** The gateway has answered with an error, or not at all. */
export class ApiError extends CliError {
  /** Whether the same request may succeed later: no answer, too many requests, or a node that goes down. */
  readonly isTemporary: boolean;
  /** The HTTP status; undefined without an answer. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
    this.isTemporary = status === undefined || status === 429 || status >= 500;
  }
}

const TIMEOUT_MS = 10_000;

/**
 * Sends a request to the HTTP API of a gateway. Resolves with the answer.
 *
 * @throws ApiError with a line for the user, without the secret and the token.
 */
export async function callApi<Answer>({ url, appId, token }: Target, request: ApiRequest): Promise<Answer> {
  const { method, path, query, body } = request;
  const search = query === undefined ? "" : `?${new URLSearchParams(query)}`;
  const credentials = typeof token === "string" ? token : await token();
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${url}/v1/${encodeURIComponent(appId)}/${path}${search}`, {
      method,
      headers: {
        authorization: `Bearer ${credentials}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    throw new ApiError(`no gateway answers at ${url}: ${explain(error)}`, undefined);
  }
  const answer = readJson(text);
  if (!response.ok) throw refusal(response.status, answer);
  if (answer === undefined)
    throw new ApiError(`no gateway answers at ${url}: the answer is not JSON`, response.status);
  return answer as Answer;
}

function refusal(status: number, answer: unknown): ApiError {
  if (status === 401) {
    const say = `the gateway does not take this secret or token: ${CHECK_CREDENTIALS}`;
    return new ApiError(`${say} (HTTP takes no token of a user)`, status);
  }
  const { errorCode, reasons } = (answer ?? {}) as {
    readonly errorCode?: unknown;
    readonly reasons?: Readonly<Record<string, readonly string[]>>;
  };
  const texts = Object.entries(reasons ?? {}).map(([field, why]) => `${field}: ${[why].flat().join(", ")}`);
  const code = typeof errorCode === "string" ? `${errorCode}, ${status}` : String(status);
  return new ApiError(`the gateway refuses this: ${[...texts, `(${code})`].join(" ")}`, status);
}

function explain(error: unknown): string {
  const { name, message, cause } = error as Error & { readonly cause?: NodeJS.ErrnoException };
  if (name === "TimeoutError") return `no answer within ${TIMEOUT_MS / 1_000} s`;
  return cause === undefined ? message : connectionProblem(cause);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
