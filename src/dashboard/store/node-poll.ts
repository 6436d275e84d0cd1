import type { Credentials } from "../model/credentials.ts";
import { Topic } from "./topic.ts";

/** What `stats` answers, as far as it is shown. */
export interface AppStats {
  readonly users: number;
  readonly sessions: number;
  readonly sockets: number;
  readonly subscriptions: number;
  readonly views: number;
}

/** What `node` answers. */
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
const PATIENCE_MS = 4_000;

/** Asks the node how it does, while the page is seen. */
export class NodePoll {
  readonly changed = new Topic();
  readonly #credentials: Credentials;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #abort = new AbortController();
  #health: NodeHealth | undefined;
  #problem: string | undefined;

  constructor(credentials: Credentials) {
    this.#credentials = credentials;
    this.#timer = setInterval(() => {
      if (!document.hidden) void this.#ask();
    }, PERIOD_MS);
    void this.#ask();
  }

  /** The last answer. */
  get health(): NodeHealth | undefined {
    return this.#health;
  }

  /** Why there is none newer. */
  get problem(): string | undefined {
    return this.#problem;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#abort.abort();
  }

  async #ask(): Promise<void> {
    try {
      const [stats, node] = await Promise.all([
        this.#get<AppStats>("stats"),
        this.#get<NodeDescription>("node"),
      ]);
      this.#health = { stats, node, at: Date.now() };
      this.#problem = undefined;
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      // The same token would only be refused again.
      if (error instanceof RefusedError && error.status === 401) clearInterval(this.#timer);
      this.#problem = error instanceof RefusedError ? error.message : "The node does not answer.";
    }
    this.changed.notify();
  }

  async #get<Answer>(what: string): Promise<Answer> {
    const { appId, token } = this.#credentials;
    const response = await fetch(`/v1/${encodeURIComponent(appId)}/${what}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([this.#abort.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    const answer: unknown = await response.json().catch(() => undefined);
    if (!response.ok || answer === undefined) throw new RefusedError(response.status);
    return answer as Answer;
  }
}

class RefusedError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`The node answers with ${status}.`);
    this.status = status;
  }
}
