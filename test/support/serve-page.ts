import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type BundleOptions, bundle } from "./bundle.ts";
import { PROJECT } from "./process.ts";

export interface PageOptions extends BundleOptions {
  /** Markup of the page before its script runs. */
  readonly body?: string;
  /** Headers of every response, for example a content security policy. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A page of `test/browser/pages` on its own server. */
export class ServedPage {
  /** The requested paths. */
  readonly requests: string[] = [];
  readonly #server: Server;

  constructor(script: string, { body = '<div id="root"></div>', headers = {} }: PageOptions) {
    // An inline icon, or the browser requests one.
    const html = `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,"></head>
  <body>${body}<script type="module" src="/page.js"></script></body>
</html>
`;
    this.#server = createServer((request, response) => {
      const path = new URL(request.url!, "http://localhost").pathname;
      this.requests.push(path);
      const answer = (status: number, type: string, text: string) =>
        response.writeHead(status, { ...headers, "content-type": `${type}; charset=utf-8` }).end(text);
      if (path === "/page.js") answer(200, "text/javascript", script);
      // Every path serves the page, so that tests can navigate.
      else if (/\.\w+$/.test(path)) answer(404, "text/plain", "no such file");
      else answer(200, "text/html", html);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Address without a slash at its end. It is also the origin of the page. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

/** Serves a page that runs a file of `test/browser/pages`, with the last build of the package. */
export async function servePage(name: string, options: PageOptions = {}): Promise<ServedPage> {
  const page = new ServedPage(await bundle(join(PROJECT, "test/browser/pages", name), options), options);
  await page.listen();
  return page;
}
