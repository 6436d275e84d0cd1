import { once } from "node:events";
import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import { text as readText } from "node:stream/consumers";
import { pino } from "pino";
import type { AppConfig } from "../../src/server/auth/app.ts";
import type { FetchText } from "../../src/server/auth/jwks-source.ts";
import { mintToken, type TokenClaims } from "../../src/server/auth/mint.ts";
import type { Clock } from "../../src/server/clock.ts";
import { type Gateway, startGateway } from "../../src/server/server.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { type ClientOptions, TestClient } from "./client.ts";

export const SECRET = "a secret of the test app, long enough to be one";
export const APP = "test-app";

/** Longer than any test. */
const ENDLESS_MS = "3600000";
/** Long periods, so that a slow test never looks like a dead connection. */
const ENV = {
  HOST: "127.0.0.1",
  PORT: "0",
  DRAIN_MS: "0",
  CONNECT_TIMEOUT_MS: ENDLESS_MS,
  HEARTBEAT_INTERVAL_MS: ENDLESS_MS,
  RESUME_WINDOW_MS: ENDLESS_MS,
  TYPING_TIMEOUT_MS: ENDLESS_MS,
};

export interface TestGatewayOptions {
  readonly env?: Record<string, string>;
  /** More apps than the default one, or other fields for it. */
  readonly apps?: readonly AppConfig[];
  readonly app?: Partial<AppConfig>;
  readonly clock?: Clock;
  /** Instead of fetching the keys of identity providers over the network. */
  readonly fetchText?: FetchText;
}

/** A gateway in this process, on a free port, with helpers for tests over the network. */
export class TestGateway {
  readonly gateway: Gateway;
  /** Every line that the gateway logged. */
  readonly log: string[];
  readonly #clients: TestClient[] = [];
  readonly #agent = new Agent({ keepAlive: true });

  private constructor(gateway: Gateway, log: string[]) {
    this.gateway = gateway;
    this.log = log;
  }

  static async start(transport: "ws" | "uws", options: TestGatewayOptions = {}): Promise<TestGateway> {
    const env = { ...ENV, TRANSPORT: transport, ...options.env };
    const apps = [{ id: APP, secrets: [SECRET], ...options.app }, ...(options.apps ?? [])];
    const log: string[] = [];
    const logger = pino({ level: "debug" }, { write: (line: string) => void log.push(line) });
    const settings = readSettings({ ...env, APPS: JSON.stringify(apps) });
    const { clock, fetchText } = options;
    const gateway = await startGateway(settings, settings.apps!, logger, { clock, fetchText });
    return new TestGateway(gateway, log);
  }

  get url(): string {
    return `http://127.0.0.1:${this.gateway.port}`;
  }

  get node(): Gateway["node"] {
    return this.gateway.node;
  }

  presence(appId = APP) {
    return this.gateway.node.presence(appId)!;
  }

  token(claims: TokenClaims, exp?: number, appId = APP, secret = SECRET): Promise<string> {
    return mintToken(appId, secret, claims, exp);
  }

  /** Opens a socket that has not sent anything yet. */
  async socket(options: ClientOptions = {}): Promise<TestClient> {
    const { appId = APP } = options;
    const url = `ws://127.0.0.1:${this.gateway.port}/v1/${encodeURIComponent(appId)}/realtime`;
    const client = await TestClient.open(url, options);
    this.#clients.push(client);
    return client;
  }

  /** Opens an authenticated socket, with an app token or the user's token. */
  async connect(claims: TokenClaims | string = { tokenType: "app" }): Promise<TestClient> {
    const client = await this.socket();
    const token = await this.token(
      typeof claims === "string" ? { tokenType: "user", sub: claims, read: "all" } : claims,
    );
    client.send({ type: "connect", token });
    await client.next("connected");
    return client;
  }

  /**
   * Sends an HTTP request with the app's secret and `body` as JSON. It does not use `fetch`, which costs
   * several times as much.
   */
  async http(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const request = httpRequest(`${this.url}${path}`, {
      method,
      agent: this.#agent,
      headers: {
        authorization: `Bearer ${SECRET}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
    });
    request.end(body === undefined || typeof body === "string" ? body : JSON.stringify(body));
    const [response] = (await once(request, "response")) as [IncomingMessage];
    const text = await readText(response);
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    const answered = new Headers(
      Object.entries(response.headers).map(([name, value]) => [name, String(value)]),
    );
    // biome-ignore lint/suspicious/noExplicitAny: tests look at answers of every shape
    return { status: response.statusCode!, headers: answered, text, json: json as any };
  }

  /** The response of `POST /presences`. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at answers of every shape
  async query(filter: unknown = {}): Promise<Record<string, any>> {
    return (await this.http("POST", `/v1/${APP}/presences`, filter)).json.data;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.terminate();
    this.#agent.destroy();
    await this.gateway.stop();
  }
}
