import { ID_META } from "../../protocol/ids.ts";
import type { Json } from "./json-schemas.ts";

// What the operations of /openapi.json are made of.

/** Refers to a schema of the document. */
export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
/** A body in JSON. */
export const json = (name: string): Json => ({ "application/json": { schema: ref(name) } });
/** The answer to a request that was done. */
export const ok = (name: string, description: string): Json => ({
  200: { description, content: json(name) },
});

/** The header of an answer that says when to come back. */
export const RETRY_AFTER = {
  "Retry-After": { description: "Seconds to wait.", schema: { type: "integer" } },
};

/** The answers to requests that were not done, by status. */
export function errors(...statuses: number[]): Json {
  const descriptions: Record<number, string> = {
    400: "Bad input; `reasons` says what is wrong, by field.",
    401: "No valid credentials.",
    403: "Pages of this origin may not connect.",
    404: "Unknown app or path.",
    413: "The body is over 512 KiB, or over 4 MiB for a check.",
    415: "The body is not JSON.",
    429: "Too many requests or connections; with `LIMIT_REACHED`, the user has all that a user may have.",
    426: "The request did not ask for a WebSocket.",
    431: "The headers are too large, or too many.",
    503: "The node is full, short of memory, starting or draining, or its first process does not answer.",
  };
  return Object.fromEntries(
    statuses.map((status) => [
      status,
      {
        description: descriptions[status],
        content: json("Error"),
        ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
      },
    ]),
  );
}

/** A text in the path, the query or a header. `rules`: those of an id if absent. */
export function parameter(
  name: string,
  place: "path" | "query" | "header",
  description: string,
  rules: Json = ID_META,
): Json {
  return { name, in: place, required: place === "path", description, schema: { type: "string", ...rules } };
}

export const APP_ID = parameter("appId", "path", "The app.");
/** The statuses of errors that a route without a body has, and one with a body. */
export const NO_BODY = [400, 401, 404, 429];
export const WITH_BODY = [400, 401, 404, 413, 415, 429, 503];
