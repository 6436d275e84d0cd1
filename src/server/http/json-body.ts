import { isUtf8 } from "node:buffer";
import type { z } from "zod";
import { toFieldIssues } from "../../protocol/codec.ts";
import type { FieldIssue } from "../../protocol/unknown-fields.ts";
import { errorResponse, type HttpResponse } from "./exchange.ts";
import { reasonsOf } from "./query-parameters.ts";

export type ReadJson<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly response: HttpResponse };

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json *(?:;|$)/i;
const OTHER_CHARSET = /charset *= *(?!"?utf-?8)/i;

/** The response to a body of another type than JSON; undefined if it may be JSON. */
export function wrongType(body: Buffer, type: string | undefined): HttpResponse | undefined {
  if (body.length === 0 || type === undefined) return undefined;
  if (JSON_TYPE.test(type) && !OTHER_CHARSET.test(type)) return undefined;
  return errorResponse(415, { "content-type": ["send the body as application/json"] });
}

/** Parses a body, or a parameter: `name` says which, in error messages. */
export function parseJson(text: string, name: string): ReadJson<unknown> {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return { ok: false, response: errorResponse(400, { [name]: ["is not JSON"] }) };
  }
}

/** Parses a body; without one it is `{}`. */
export function parseBody(body: Buffer): ReadJson<unknown> {
  if (body.length === 0) return { ok: true, value: {} };
  if (isUtf8(body)) return parseJson(body.toString(), "body");
  return { ok: false, response: errorResponse(400, { body: ["is not UTF-8"] }) };
}

/**
 * Reads a body that has the form of a schema. Problems are told by field; those inside the field `within` by
 * `within.field`.
 */
export function readJsonBody<Schema extends z.ZodType>(
  body: Buffer,
  type: string | undefined,
  schema: Schema,
  within?: string,
): ReadJson<z.output<Schema>> {
  const wrong = wrongType(body, type);
  if (wrong !== undefined) return { ok: false, response: wrong };
  const parsed = parseBody(body);
  if (!parsed.ok) return parsed;
  const result = schema.safeParse(parsed.value);
  if (result.success) return { ok: true, value: result.data };
  const issues = toFieldIssues(result.error).map((issue) => joined(issue, within));
  return { ok: false, response: errorResponse(400, reasonsOf(issues, "body")) };
}

function joined({ path, message }: FieldIssue, within: string | undefined): FieldIssue {
  const [first, second, ...rest] = path;
  if (first !== within || second === undefined) return { path, message };
  return { path: [`${String(first)}.${String(second)}`, ...rest], message };
}
