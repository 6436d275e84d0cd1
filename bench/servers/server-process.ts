import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Answer, LoopDelay, Question, Usage } from "./ipc.ts";
import type { RunningServer } from "./server-kind.ts";

/** The young generation has its full size at once, as it has after a while, or its growth would be counted as somebody's. */
const FLAGS = ["--expose-gc", "--max-old-space-size=4096", "--min-semi-space-size=16"];

/** A script of ours that is the server under test. */
export class ServerProcess implements RunningServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Runs a script that answers questions. `name`: what to call its profile. */
  static async start(script: URL, name: string, env: Record<string, string> = {}): Promise<ServerProcess> {
    // BENCH_PROFILE=folder writes a CPU profile of every server there.
    const folder = process.env.BENCH_PROFILE;
    const profile = `--cpu-prof --cpu-prof-dir=${folder} --cpu-prof-name=${name}-${Date.now()}.cpuprofile`;
    const child = fork(script, [], {
      env: { ...process.env, ...env },
      execArgv: [...FLAGS, ...(folder ? profile.split(" ") : [])],
    });
    const { port } = (await answerOf(child)) as { port: number };
    return new ServerProcess(port, child);
  }

  usage(): Promise<Required<Usage>> {
    return this.#ask({ ask: "usage" });
  }

  settledUsage(): Promise<Required<Usage>> {
    return this.#ask({ ask: "settled-usage" });
  }

  loopDelay(): Promise<LoopDelay> {
    return this.#ask({ ask: "loop-delay" });
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

  #ask<T extends Answer>(question: Question): Promise<T> {
    const answer = answerOf(this.#child);
    this.#child.send(question);
    return answer as Promise<T>;
  }
}

async function answerOf(child: ChildProcess): Promise<Answer> {
  const died = new AbortController();
  const onExit = () => died.abort(new Error("a server under test has ended by itself"));
  child.once("exit", onExit);
  try {
    const [answer] = (await once(child, "message", { signal: died.signal })) as [Answer];
    return answer;
  } catch (error) {
    throw died.signal.reason ?? error;
  } finally {
    child.off("exit", onExit);
  }
}
