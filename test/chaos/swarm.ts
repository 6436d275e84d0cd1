import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";

export interface SwarmOptions {
  readonly host: string;
  readonly port: number;
  readonly appId: string;
  readonly token: string;
  /** Users are called by it and a number. */
  readonly prefix: string;
  readonly count: number;
  /** Addresses of this machine to come from, in turn; the usual one if there are none. */
  readonly addresses: readonly string[];
}

export type SwarmOrder =
  | { readonly kind: "connect" | "cut" | "look" }
  /** Each tries once, and if it is let in opens its session, with as much custom data as it may have. */
  | { readonly kind: "arrive" }
  /** Each opens its session, at a time of its own within so long. */
  | { readonly kind: "open"; readonly overMs: number }
  | { readonly kind: "subscribe"; readonly filter: object }
  | { readonly kind: "pause"; readonly isPaused: boolean }
  /** With the delays of the SDK; to another port if one is given. */
  | { readonly kind: "comeBack"; readonly windowMs: number; readonly port?: number }
  | { readonly kind: "flood"; readonly what: "messages" | "pings" | "handshakes"; readonly ms: number }
  | { readonly kind: "churn"; readonly cycles: number };

export interface SwarmAnswer {
  readonly answer: unknown;
}

export interface SwarmArrival {
  /** How many have a session. */
  readonly arrived: number;
  /** The statuses with which others were refused; 0 where there was none. */
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

/** Many plain clients in a process of their own. */
export class Swarm {
  readonly #child: ChildProcess;

  /** `within`: a command that runs another in surroundings of its own, such as a network. */
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

  /** As `kill -9` does: the system closes its connections. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }
}
