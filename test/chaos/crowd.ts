import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";

const PATIENCE_MS = 1_500;

export interface CrowdOptions {
  readonly url: string;
  readonly appId: string;
  readonly secret: string;
  /** A text in every session of the app, and in no session of another app. */
  readonly mark: string;
  readonly userIds: readonly string[];
  readonly seed: number;
  readonly actEveryMs: number;
  readonly tokenSeconds: number;
}

export type CrowdOrder =
  | { readonly kind: "act" | "rest" | "close" }
  | { readonly kind: "report"; readonly number: number; readonly patienceMs: number };

export interface RestingUser {
  readonly userId: string;
  readonly sessions: readonly {
    readonly sessionId: string;
    readonly n: string;
    readonly conversation: string | null;
    readonly focus: boolean;
  }[];
  /** The result of its subscription to conversation c1. */
  readonly watched?: Record<string, unknown>;
}

export type CrowdReport =
  | { readonly kind: "lost"; readonly userId: string; readonly at: number }
  | { readonly kind: "late"; readonly ms: number; readonly at: number }
  | { readonly kind: "holds"; readonly userId: string; readonly ids: readonly string[]; readonly at: number }
  | {
      readonly kind: "resting";
      readonly number: number;
      readonly isAtRest: boolean;
      readonly users: readonly RestingUser[];
    };

export interface CrowdListener {
  lost(userId: string, at: number): void;
  holds(userId: string, ids: readonly string[], at: number): void;
  /** The machine ran the process of the crowd this much too late. */
  late(ms: number, at: number): void;
}

/** Users of the SDK in another process, seen from outside. */
export class Crowd {
  readonly userIds: readonly string[];
  readonly #child: ChildProcess;
  readonly #listener: CrowdListener;
  /** Whether its reports may be outdated, because it or its network is paused. */
  isDoubtful = false;
  isDead = false;
  #reports = 0;
  #resting: (CrowdReport & { kind: "resting" }) | undefined;

  constructor(options: CrowdOptions, listener: CrowdListener) {
    this.userIds = options.userIds;
    this.#listener = listener;
    this.#child = fork(new URL("crowd-process.js", import.meta.url), [], {
      env: { ...process.env, CROWD: JSON.stringify(options) },
    });
    this.#child.on("message", (report: CrowdReport) => this.#told(report));
    this.#child.on("error", () => {});
    this.#child.on("exit", () => {
      this.isDead = true;
    });
  }

  order(order: CrowdOrder): void {
    if (!this.isDead && this.#child.connected) this.#child.send(order, () => {});
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  kill(): void {
    this.isDead = true;
    this.#child.kill("SIGKILL");
  }

  /** All users close their sessions. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    this.order({ kind: "close" });
    await exited;
    clearTimeout(timer);
  }

  /** All sessions as the gateway confirms them; undefined while some have not returned. */
  async report(): Promise<readonly RestingUser[] | undefined> {
    const number = ++this.#reports;
    this.isDoubtful = false;
    this.order({ kind: "report", number, patienceMs: PATIENCE_MS });
    for (let waited = 0; waited < 2 * PATIENCE_MS && this.#resting?.number !== number; waited += 20)
      await delay(20);
    if (this.#resting?.number !== number || !this.#resting.isAtRest) return undefined;
    return this.#resting.users;
  }

  #told(report: CrowdReport): void {
    if (report.kind === "resting") this.#resting = report;
    else if (this.isDead) return;
    else if (report.kind === "lost") this.#listener.lost(report.userId, report.at);
    else if (this.isDoubtful) return;
    else if (report.kind === "late") this.#listener.late(report.ms, report.at);
    else this.#listener.holds(report.userId, report.ids, report.at);
  }
}
