import { isUtf8 } from "node:buffer";
import { BoundedMap } from "../../core/collections/bounded-map.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { toFieldIssues } from "../../protocol/codec.ts";
import { FILTER_FIELDS, FilterSchema } from "../../protocol/filter.ts";
import { allowFilter } from "../auth/allowed-filter.ts";
import type { App } from "../auth/app.ts";
import type { Principal } from "../auth/principal.ts";
import { CachedResponse } from "./cached-response.ts";
import { errorResponse, type HttpResponse, type Reasons } from "./exchange.ts";
import { readParameters, reasonsOf } from "./query-parameters.ts";

export type Parsed =
  | { readonly ok: true; readonly filter: CompiledFilter; readonly response: CachedResponse }
  | { readonly ok: false; readonly response: HttpResponse };

/** HTTP is for app tokens and secrets, whose rights do not differ. */
const BACK_END: Principal = { kind: "app", exp: undefined };

const MAX_KNOWN = 1_000;
/** Longer bodies are not remembered: a bound on the memory of those that are. */
const MAX_KNOWN_BYTES = 512;

const JSON_TYPE = /^application\/(?:[\w.!#$&^+-]+\+)?json *(?:;|$)/i;
const OTHER_CHARSET = /charset *= *(?!"?utf-?8)/i;

/**
 * Reads the filters of one app's requests. Clients repeat their queries, so a body that was read is known by
 * its bytes.
 */
export class FilterReader {
  readonly #known = new BoundedMap<string, Parsed>(MAX_KNOWN);
  readonly #app: App;

  constructor(app: App) {
    this.#app = app;
  }

  ofBody(body: Buffer, type: string | undefined): Parsed {
    if (body.length === 0) return parseFilter(this.#app, {}, "body");
    if (type !== undefined && (!JSON_TYPE.test(type) || OTHER_CHARSET.test(type))) {
      return bad(415, { "content-type": ["send the filter as application/json"] });
    }
    if (body.length > MAX_KNOWN_BYTES) return parseBody(this.#app, body);
    const bytes = body.toString("latin1");
    let parsed = this.#known.get(bytes);
    if (parsed === undefined) {
      parsed = parseBody(this.#app, body);
      if (parsed.ok) this.#known.set(bytes, parsed);
    }
    return parsed;
  }
}

/** Reads the filter of an event stream, from the query of its URL. */
export function filterOfQuery(app: App, query: string): Parsed {
  const read = readParameters(query, STREAM_PARAMETERS, misplaced);
  if (!read.ok) return bad(400, read.reasons);
  const text = read.parameters.get("filter");
  return text === null || text === "" ? parseFilter(app, {}, "filter") : parseJson(app, text, "filter");
}

const STREAM_PARAMETERS = ["filter"];

/** To ignore `?userIds=…` would be to answer "everyone". */
function misplaced(name: string): string | undefined {
  return FILTER_FIELDS.includes(name) ? "belongs into the filter: ?filter= and JSON, URL-encoded" : undefined;
}

/** The response where a filter stands in the URL, and the body is what is read; undefined if none does. */
export function misplacedFilter(query: string): HttpResponse | undefined {
  if (query === "") return undefined;
  const found = [...new URLSearchParams(query).keys()].find(
    (name) => name === "filter" || FILTER_FIELDS.includes(name),
  );
  return found === undefined
    ? undefined
    : errorResponse(400, { [found]: ["belongs into the body, which is the filter"] });
}

function parseBody(app: App, body: Buffer): Parsed {
  return isUtf8(body) ? parseJson(app, body.toString(), "body") : bad(400, { body: ["is not UTF-8"] });
}

function parseJson(app: App, text: string, name: string): Parsed {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return bad(400, { [name]: ["is not JSON"] });
  }
  return parseFilter(app, json, name);
}

/** `name`: the name of the filter as a whole in error messages. */
function parseFilter(app: App, json: unknown, name: string): Parsed {
  const result = FilterSchema.safeParse(json);
  if (result.success) {
    const allowed = allowFilter(app, BACK_END, result.data);
    if (allowed.ok) {
      const { filter } = allowed;
      return { ok: true, filter, response: new CachedResponse(filter) };
    }
    const { path, message } = "issue" in allowed ? allowed.issue : { path: name, message: allowed.message };
    return bad(400, { [path]: [message] });
  }
  return bad(400, reasonsOf(toFieldIssues(result.error), name));
}

function bad(status: 400 | 415, reasons: Reasons): Parsed {
  return { ok: false, response: errorResponse(status, reasons) };
}
