import { Buffer } from "node:buffer";

/** How long an attempt may take, with the answer's body. */
export const ATTEMPT_MS = 10_000;
/** The most bytes of an answer's body that are read. */
export const MAX_ANSWER_BYTES = 64 * 1024;

export interface WebhookRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** What came of one attempt. */
export type AttemptResult =
  /** The status of the answer, and its body if it is small and came in time. */
  | { readonly kind: "answered"; readonly status: number; readonly body: string | undefined }
  /** `reason`: fixed texts, which may be logged. */
  | { readonly kind: "unanswered"; readonly reason: "timeout" | "connection" };

export interface Attempt {
  /** Never rejects. */
  readonly result: Promise<AttemptResult>;
  /** Ends the request. Its result does not matter any more. */
  abort(): void;
}

export type SendWebhook = (request: WebhookRequest) => Attempt;

/** Sends one attempt with the `fetch` of Node, which follows no redirect here. */
export function sendWebhook({ url, headers, body }: WebhookRequest, timeoutMs = ATTEMPT_MS): Attempt {
  const controller = new AbortController();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    controller.abort();
  }, timeoutMs);
  const attempt = async (): Promise<AttemptResult> => {
    try {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          // The answer is read as it comes, so a small one cannot become a large one.
          "accept-encoding": "identity",
          "user-agent": "presence-gateway",
          ...headers,
        },
        body,
        redirect: "manual",
        signal: controller.signal,
      });
      return { kind: "answered", status: response.status, body: await readSmall(response) };
    } catch {
      return { kind: "unanswered", reason: isLate ? "timeout" : "connection" };
    } finally {
      clearTimeout(timer);
    }
  };
  return { result: attempt(), abort: () => controller.abort() };
}

/** The body of an answer; undefined if it is too long, not text, or does not come. */
async function readSmall({ body }: Response): Promise<string | undefined> {
  if (body === null) return "";
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    // Leaving the loop ends the connection.
    for await (const part of body) {
      bytes += part.length;
      if (bytes > MAX_ANSWER_BYTES) return undefined;
      parts.push(part);
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(parts));
  } catch {
    return undefined;
  }
}

/** Whether the body of an answer asks for a snapshot. */
export function asksForResync(body: string | undefined): boolean {
  // Most answers are empty, or say something short that is no JSON.
  if (body === undefined || !body.includes("resync")) return false;
  try {
    const answer: unknown = JSON.parse(body);
    return typeof answer === "object" && answer !== null && "resync" in answer && answer.resync === true;
  } catch {
    return false;
  }
}
