import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";

export interface SwarmOptions {
  readonly host: string;
  readonly port: number;
  readonly appId: string;
  readonly token: string;
  /** The prefix of the user names. */
  readonly prefix: string;
  readonly count: number;
  /** Local addresses to use in turn. Without any, the default one. */
  readonly addresses: readonly string[];
}

export type SwarmOrder =
  | { readonly kind: "connect" | "cut" | "look" }
  /** Each client tries once. If accepted, it opens its session with the maximum custom data. */
  | { readonly kind: "arrive" }
  /** Each client opens its session at a random time within this period. */
  | { readonly kind: "open"; readonly overMs: number }
  | { readonly kind: "subscribe"; readonly filter: object }
  | { readonly kind: "pause"; readonly isPaused: boolean }
  /** With the delays of the SDK, optionally on another port. */
  | { readonly kind: "comeBack"; readonly windowMs: number; readonly port?: number }
  | { readonly kind: "flood"; readonly what: "messages" | "pings" | "handshakes"; readonly ms: number }
  | { readonly kind: "churn"; readonly cycles: number };

export interface SwarmAnswer {
  readonly answer: unknown;
}

export interface SwarmArrival {
  /** The number of clients with a session. */
  readonly arrived: number;
  /** The statuses of the refusals; 0 without a status. */
  readonly refusals: readonly number[];
}

export interface SwarmSight {
  readonly frames: number;
  readonly largestFrame: number;
  /** The end of the last frame. */
  readonly last: string;
  readonly isOpen: boolean;
}

const SCRIPT = new URL("../../dist/dev/test/chaos/swarm-process.js", import.meta.url).pathname;

/** Many plain clients in another process. */
export class Swarm {
  readonly #child: ChildProcess;

  /** `within`: a command that runs the process in its own environment, such as a network. */
  constructor(
    options: Partial<SwarmOptions> & Pick<SwarmOptions, "port" | "token" | "appId">,
    within?: string[],
  ) {
    const all: SwarmOptions = { host: "127.0.0.1", prefix: "user-", count: 1, addresses: [], ...options };
    const env = { ...process.env, SWARM: JSON.stringify(all) };
    this.#child =
      within === undefined
        ? fork(SCRIPT, { env, execArgv: [] })
        : spawn(within[0]!, [...within.slice(1), process.execPath, SCRIPT], {
            env,
            stdio: ["ignore", "inherit", "inherit", "ipc"],
          });
    this.#child.on("error", () => {});
  }

  async order<T = unknown>(order: SwarmOrder): Promise<T> {
    this.#child.send(order);
    const [{ answer }] = (await once(this.#child, "message")) as [SwarmAnswer];
    return answer as T;
  }

  /** Like `kill -9`: the system closes its connections. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
