import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text as readText } from "node:stream/consumers";

export interface StubRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly authorization: string | undefined;
  /** Undefined without a body. */
  readonly body: unknown;
}

interface StubAnswer {
  readonly status?: number;
  /** A text is sent as it is. */
  readonly body: unknown;
}

/** An HTTP server that records requests and answers all of them with `answer`. */
export class StubApi {
  readonly requests: StubRequest[] = [];
  answer: (request: StubRequest) => StubAnswer | Promise<StubAnswer> = () => ({ body: {} });
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<StubApi> {
    const server = createServer(async (request, response) => {
      const { method = "", url = "", headers } = request;
      const text = await readText(request);
      const body = text === "" ? undefined : JSON.parse(text);
      const asked = { method, url, authorization: headers.authorization, body };
      stub.requests.push(asked);
      const answer = await stub.answer(asked);
      response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
      response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
    });
    const stub = new StubApi(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The options with which a command uses this server. */
  get options(): string[] {
    return ["--url", this.url, "--app", "shop", "--token", "a.b.c"];
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
