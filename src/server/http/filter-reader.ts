import { BoundedMap } from "../../core/collections/bounded-map.ts";
import type { CompiledFilter } from "../../core/views/compiled-filter.ts";
import { toFieldIssues } from "../../protocol/codec.ts";
import { FILTER_FIELDS, FilterSchema } from "../../protocol/filter.ts";
import { allowFilter } from "../auth/allowed-filter.ts";
import type { App } from "../auth/app.ts";
import { BACK_END } from "../auth/principal.ts";
import { CachedResponse } from "./cached-response.ts";
import { errorResponse, type HttpResponse, type Reasons } from "./exchange.ts";
import { parseBody, parseJson, type ReadJson, wrongType } from "./json-body.ts";
import { readParameters, reasonsOf } from "./query-parameters.ts";

export type Parsed =
  | { readonly ok: true; readonly filter: CompiledFilter; readonly response: CachedResponse }
  | { readonly ok: false; readonly response: HttpResponse };

const MAX_KNOWN = 1_000;
/** Longer bodies are not remembered: a bound on the memory of those that are. */
const MAX_KNOWN_BYTES = 512;

/**
 * Reads the filters of one app's requests. Clients repeat their queries, so a body that was read is known by
 * its bytes.
 */
export class FilterReader {
  readonly #known = new BoundedMap<string, Parsed>(MAX_KNOWN);
  readonly #app: App;
  readonly #isCount: boolean;

  /** `isCount`: the requests ask for the number of users. */
  constructor(app: App, isCount = false) {
    this.#app = app;
    this.#isCount = isCount;
  }

  ofBody(body: Buffer, type: string | undefined): Parsed {
    const wrong = wrongType(body, type);
    if (wrong !== undefined) return { ok: false, response: wrong };
    if (body.length > MAX_KNOWN_BYTES) return this.#parse(body);
    const bytes = body.toString("latin1");
    let parsed = this.#known.get(bytes);
    if (parsed === undefined) {
      parsed = this.#parse(body);
      if (parsed.ok) this.#known.set(bytes, parsed);
    }
    return parsed;
  }

  #parse(body: Buffer): Parsed {
    return parseFilter(this.#app, parseBody(body), "body", this.#isCount);
  }
}

/** Reads the filter of an event stream, and whether it counts, from the query of its URL. */
export function filterOfQuery(app: App, query: string): Parsed {
  const read = readParameters(query, STREAM_PARAMETERS, misplaced);
  if (!read.ok) return bad(read.reasons);
  const { parameters } = read;
  const count = parameters.get("count") ?? "false";
  if (count !== "true" && count !== "false") return bad({ count: ["must be true or false"] });
  const json = parseJson(parameters.get("filter") || "{}", "filter");
  return parseFilter(app, json, "filter", count === "true");
}

const STREAM_PARAMETERS = ["filter", "count"];

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

/** `name`: the name of the filter as a whole in error messages. */
function parseFilter(app: App, json: ReadJson<unknown>, name: string, isCount: boolean): Parsed {
  if (!json.ok) return json;
  const result = FilterSchema.safeParse(json.value);
  if (!result.success) return bad(reasonsOf(toFieldIssues(result.error), name));
  const allowed = allowFilter(app, BACK_END, result.data, isCount);
  if (allowed.ok) {
    const { filter } = allowed;
    return { ok: true, filter, response: new CachedResponse(filter) };
  }
  const { path, message } = "issue" in allowed ? allowed.issue : { path: name, message: allowed.message };
  return bad({ [path]: [message] });
}

function bad(reasons: Reasons): Parsed {
  return { ok: false, response: errorResponse(400, reasons) };
}
