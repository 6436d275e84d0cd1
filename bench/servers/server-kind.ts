import type { Dialect } from "../load/dialect.ts";
import type { LoopDelay, Usage } from "./ipc.ts";

/** A kind of server under test: the gateway on a transport, the baseline of a transport, or a peer. */
export interface ServerKind {
  readonly name: string;
  readonly role: "gateway" | "baseline" | "peer";
  /** Normal runs leave it out, unless it is named. */
  readonly onlyInFullRuns?: true;
  /** The name of the kind that this kind is compared with. */
  readonly baseline?: string;
  /** Only for an available peer: its name, version and set-up. */
  about?(): string;
  readonly dialect: Dialect;
  /** The names of the scenarios that it supports; undefined means all. */
  readonly scenarios?: readonly string[];
  /** Prepares to start. Resolves with the reason why this kind does not run here and how to install it. */
  missing(): Promise<string | undefined>;
  /** `env`: settings of the gateway, in addition to those of every benchmark. */
  start(env?: Record<string, string>): Promise<RunningServer>;
  /**
   * Starts it as an operator does, for figures of memory: nothing forces a collection, and V8 or the program
   * sizes the heap. If absent, `start` does.
   */
  startAsInstalled?(): Promise<RunningServer>;
}

/** A server under test, in a process of its own. */
export interface RunningServer {
  readonly port: number;
  /** Resources used so far by the process, its helper threads and its children. */
  usage(): Promise<Usage>;
  /** Like `usage`, after a garbage collection. */
  usageAfterGc(): Promise<Usage>;
  /**
   * Gives the server what it needs for the scenario. A baseline gets the text that the gateway would send, a
   * gateway gets a `Population` as JSON.
   */
  prepare?(text: string): Promise<void>;
  /** Only for a server in Node. */
  loopDelay?(): Promise<LoopDelay>;
  stop(): Promise<void>;
}

/** The name of a contender, and the name of its baseline. */
export function labelOf({ name, baseline }: ServerKind): { name: string; baseline?: string } {
  return baseline === undefined ? { name } : { name, baseline };
}
