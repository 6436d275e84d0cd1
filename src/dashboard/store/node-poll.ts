import type { Credentials } from "../model/credentials.ts";
import type { WebhookStats } from "../model/webhook-state.ts";
import { gatewayAddress } from "./address.ts";
import { Topic } from "./topic.ts";

/** The fields of the `stats` response that the page shows. */
export interface AppStats {
  readonly users: number;
  readonly sessions: number;
  readonly sockets: number;
  readonly subscriptions: number;
  readonly views: number;
  /** Absent for an app without webhooks. */
  readonly webhooks?: readonly WebhookStats[];
}

/** The response of `node`. */
export interface NodeDescription {
  readonly nodeId: string;
  readonly version: string;
  readonly transport?: string;
  readonly uptimeSeconds: number;
  readonly rssBytes: number;
  readonly heapUsedBytes: number;
  readonly eventLoopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export interface NodeHealth {
  readonly stats: AppStats;
  readonly node: NodeDescription;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const PERIOD_MS = 5_000;
const TIMEOUT_MS = 4_000;

/** Polls the health of the node while the page is visible. */
export class NodePoll {
  readonly changed = new Topic();
  #credentials: Credentials;
  #timer: ReturnType<typeof setInterval>;
  readonly #abort = new AbortController();
  #health: NodeHealth | undefined;
  #problem: string | undefined;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
    this.#timer = this.#start();
  }

  /** The last successful response. */
  get health(): NodeHealth | undefined {
    return this.#health;
  }

  /** Why the last poll failed; undefined if it succeeded. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Continues with another token. */
  renew(credentials: Credentials): void {
    if (credentials.token === this.#credentials.token) return;
    this.#credentials = credentials;
    clearInterval(this.#timer);
    this.#timer = this.#start();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  #start(): ReturnType<typeof setInterval> {
    void this.#poll();
    return setInterval(() => {
      if (!document.hidden) void this.#poll();
    }, PERIOD_MS);
  }

  async #poll(): Promise<void> {
    const { token } = this.#credentials;
    try {
      const [stats, node] = await Promise.all([
        this.#get<AppStats>("stats"),
        this.#get<NodeDescription>("node"),
      ]);
      this.#health = { stats, node, at: Date.now() };
      this.#problem = undefined;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // The node would refuse the same token again. By now there may be another.
      if (token !== this.#credentials.token) return;
      if (error instanceof RefusedError && error.status === 401) clearInterval(this.#timer);
      this.#problem = error instanceof RefusedError ? error.message : "The node does not respond.";
    }
    this.changed.notify();
  }

  async #get<Body>(path: string): Promise<Body> {
    const { appId, token } = this.#credentials;
    const response = await fetch(`${gatewayAddress()}/v1/${encodeURIComponent(appId)}/${path}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok || body === undefined) throw new RefusedError(response.status);
    return body as Body;
  }
}

class RefusedError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`The node responds with status ${status}.`);
    this.status = status;
  }
}
