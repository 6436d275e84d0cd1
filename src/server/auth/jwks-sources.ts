import { type FetchText, JwksSource, type JwksSourceOptions } from "./jwks-source.ts";

/** So many are fetched at the same time. A node has few files that are not for clients. */
const MAX_FETCHES = 32;

/**
 * The JWKS of all apps of a node, one for each URL, however many apps name it. They outlive changes of the
 * apps, so that a reload fetches nothing that is known.
 */
export class JwksSources {
  readonly #options: JwksSourceOptions;
  readonly #byUrl = new Map<string, JwksSource>();
  readonly #queue: (() => void)[] = [];
  #fetches = 0;

  constructor(options: JwksSourceOptions) {
    this.#options = { ...options, fetchText: (url) => this.#inTurn(url, options.fetchText) };
  }

  /** The source of a URL. A new one fetches its keys at once. */
  of(url: string): JwksSource {
    const known = this.#byUrl.get(url);
    if (known !== undefined) return known;
    const source = new JwksSource(url, this.#options);
    this.#byUrl.set(url, source);
    source.request();
    return source;
  }

  /** Forgets all sources but these. */
  keepOnly(urls: ReadonlySet<string>): void {
    for (const url of this.#byUrl.keys()) if (!urls.has(url)) this.#byUrl.delete(url);
  }

  async #inTurn(url: string, fetchText: FetchText): Promise<string> {
    if (this.#fetches >= MAX_FETCHES) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#fetches++;
    try {
      return await fetchText(url);
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#fetches--;
      else next();
    }
  }
}
