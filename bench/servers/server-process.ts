import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { LoopDelay, ServerReply, ServerRequest, Usage } from "./ipc.ts";
import type { RunningServer } from "./server-kind.ts";

/**
 * The flags of a server in Node for figures of CPU. The young generation has its final size from the start,
 * which is that of V8 if none is given. Otherwise its growth would count as cost of the load.
 */
export function flagsWith(semiSpaceMib?: number): readonly string[] {
  const youngGeneration =
    semiSpaceMib === undefined
      ? ["--min-semi-space-size=16"]
      : [`--min-semi-space-size=${semiSpaceMib}`, `--max-semi-space-size=${semiSpaceMib}`];
  return ["--expose-gc", "--max-old-space-size=4096", ...youngGeneration];
}

/** A server under test that runs as a child process. */
export class ServerProcess implements RunningServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Runs a script that serves the benchmark's requests. `name` is the name of its profile. */
  static async start(
    script: URL,
    name: string,
    env: Record<string, string> = {},
    flags = flagsWith(),
  ): Promise<ServerProcess> {
    // BENCH_PROFILE=folder writes a CPU profile of every process of every server there. Node names the files.
    const folder = process.env.BENCH_PROFILE;
    const profile = `--cpu-prof --cpu-prof-dir=${folder}/${name}`;
    const child = fork(script, [], {
      env: { ...process.env, ...env },
      execArgv: [...flags, ...(folder ? profile.split(" ") : [])],
    });
    const { port } = (await replyOf(child)) as { port: number };
    return new ServerProcess(port, child);
  }

  usage(): Promise<Usage> {
    return this.#request({ type: "usage" });
  }

  usageAfterGc(): Promise<Usage> {
    return this.#request({ type: "usage-after-gc" });
  }

  loopDelay(): Promise<LoopDelay> {
    return this.#request({ type: "loop-delay" });
  }

  async prepare(text: string): Promise<void> {
    await this.#request({ type: "prepare", text });
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.send({ type: "stop" } satisfies ServerRequest);
    await exited;
  }

  #request<T extends ServerReply>(request: ServerRequest): Promise<T> {
    const answer = replyOf(this.#child);
    this.#child.send(request);
    return answer as Promise<T>;
  }
}

async function replyOf(child: ChildProcess): Promise<ServerReply> {
  const died = new AbortController();
  const onExit = () => died.abort(new Error("a server under test exited unexpectedly"));
  child.once("exit", onExit);
  try {
    const [answer] = (await once(child, "message", { signal: died.signal })) as [ServerReply];
    return answer;
  } catch (error) {
    throw died.signal.reason ?? error;
  } finally {
    child.off("exit", onExit);
  }
}
