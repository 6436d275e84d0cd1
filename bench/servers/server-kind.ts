import type { Dialect } from "../load/dialect.ts";
import type { LoopDelay, Usage } from "./ipc.ts";

/** A server that takes part: the gateway on a transport, the floor under it, or what people would use instead. */
export interface ServerKind {
  readonly name: string;
  readonly role: "gateway" | "floor" | "peer";
  /** The name of the kind that this one is compared with. */
  readonly floor?: string;
  /** Of a peer that is not missing: what it is, in which version, and how it is set up. */
  about?(): string;
  readonly dialect: Dialect;
  /** The names of the scenarios that it can do the work of, where those are not all. */
  readonly scenarios?: readonly string[];
  /** Gets ready to start. Says why this kind does not run here, and how to get it; undefined where it does run. */
  missing(): Promise<string | undefined>;
  /** `env`: settings of the gateway beyond those that every benchmark has. */
  start(env?: Record<string, string>): Promise<RunningServer>;
}

/** A server under test, in a process of its own. */
export interface RunningServer {
  readonly port: number;
  /** What the process has used so far, its helper threads and children included. */
  usage(): Promise<Usage>;
  /** As `usage`, but garbage is collected first. */
  settledUsage(): Promise<Usage>;
  /** Tells a floor the bytes that the gateway would answer or send, and a gateway whom to hold (`Population`). */
  say?(text: string): Promise<void>;
  /** Of a server in Node. */
  loopDelay?(): Promise<LoopDelay>;
  stop(): Promise<void>;
}

/** For a contender: what it is called, and what it is compared with. */
export function labelOf({ name, floor }: ServerKind): { name: string; floor?: string } {
  return floor === undefined ? { name } : { name, floor };
}
