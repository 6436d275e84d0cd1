import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { loadUws } from "../../src/transport/load-uws.ts";
import type { Answer, Question, Usage } from "./ipc.ts";

/** The gateway on each of its transports, and the bare library under it: the least that any server on it costs. */
export const SERVER_KINDS = ["gateway-uws", "gateway-ws", "floor-uws", "floor-ws"] as const;
export type ServerKind = (typeof SERVER_KINDS)[number];

export function isGateway(kind: ServerKind): boolean {
  return kind.startsWith("gateway");
}

/** What a server is compared with. */
export function floorOf(kind: ServerKind): { floor?: ServerKind } {
  if (!isGateway(kind)) return {};
  return { floor: kind === "gateway-uws" ? "floor-uws" : "floor-ws" };
}

/** The kinds that run here, and why the others do not. */
export function availableKinds(): { kinds: readonly ServerKind[]; note: string | undefined } {
  const { uws, ...loaded } = loadUws();
  if (uws !== undefined) return { kinds: SERVER_KINDS, note: undefined };
  const reasons = "reasons" in loaded ? loaded.reasons.join("; ") : "";
  return {
    kinds: SERVER_KINDS.filter((kind) => kind.endsWith("-ws")),
    note: `uWebSockets.js does not load here, so only the ws half runs (${reasons})`,
  };
}

/** A server under test, in a process of its own. */
export class ServerProcess {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** `env`: settings of the gateway beyond those that every benchmark has. */
  static start(kind: ServerKind, env: Record<string, string> = {}): Promise<ServerProcess> {
    const [program, transport] = kind.split("-") as ["gateway" | "floor", "uws" | "ws"];
    const script = program === "gateway" ? program : kind;
    return ServerProcess.run(script, kind, { TRANSPORT: transport, ...env });
  }

  /** Runs a script of this folder that answers questions. `name`: what to call its profile. */
  static async run(script: string, name: string, env: Record<string, string> = {}): Promise<ServerProcess> {
    // BENCH_PROFILE=folder writes a CPU profile of every server there.
    const folder = process.env.BENCH_PROFILE;
    const profile = `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-name=${name}-${Date.now()}.cpuprofile`;
    const child = fork(new URL(`${script}.js`, import.meta.url), [], {
      env: { ...process.env, ...env },
      execArgv: ["--expose-gc", "--max-old-space-size=4096", ...(folder ? profile.split(" ") : [])],
    });
    const { port } = (await answerOf(child)) as { port: number };
    return new ServerProcess(port, child);
  }

  /** What the process has used so far. */
  usage(): Promise<Usage> {
    return this.#ask({ ask: "usage" });
  }

  settledUsage(): Promise<Usage> {
    return this.#ask({ ask: "settled-usage" });
  }

  async say(text: string): Promise<void> {
    await this.#ask({ ask: "say", text });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.send({ ask: "stop" } satisfies Question);
    await exited;
  }

  #ask(question: Question): Promise<Usage> {
    const answer = answerOf(this.#child);
    this.#child.send(question);
    return answer as Promise<Usage>;
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const died = new AbortController();
  const onExit = () => died.abort(new Error("a server under test has ended by itself"));
  child.once("exit", onExit);
  try {
    const [answer] = (await once(child, "message", { signal: died.signal })) as [Answer];
    return answer;
  } finally {
    child.off("exit", onExit);
  }
}
