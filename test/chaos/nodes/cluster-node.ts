import { TcpProxy } from "../../support/proxy.ts";
import { until } from "../../support/until.ts";
import { GatewayUnderTest } from "../gateway-under-test.ts";
import { ChaosOracle } from "../oracle.ts";

const READY_MS = 20_000;

export interface ClusterNodeOptions {
  readonly name: string;
  readonly redisPort: number;
  readonly env: Record<string, string>;
  readonly canaries: readonly string[];
}

/** A node of the cluster, with its own connection to Redis, and an oracle of what may be visible on it. */
export class ClusterNode {
  readonly name: string;
  readonly oracle: ChaosOracle;
  readonly gateway: GatewayUnderTest;
  readonly network: TcpProxy;
  /** Whether it is healthy. Clients are sent to it, and it must not disturb other nodes. */
  isWell = true;
  /** Until then it may lack changes of others, and others may lack its changes. */
  calmFrom = 0;
  /** Since when others may consider it dead, though it lives. */
  strandedAt: number | undefined;

  private constructor(options: ClusterNodeOptions, network: TcpProxy) {
    this.name = options.name;
    this.network = network;
    this.oracle = new ChaosOracle({ foreignMarks: [], canaries: options.canaries, toleranceMs: 500 });
    this.gateway = new GatewayUnderTest(
      { ...options.env, REDIS_URL: `redis://127.0.0.1:${network.port}` },
      (line) => this.#logged(line),
      (how) => this.oracle.crashed(`${this.name}: ${how}`, Date.now()),
    );
  }

  static async start(options: ClusterNodeOptions): Promise<ClusterNode> {
    const node = new ClusterNode(options, await TcpProxy.start(options.redisPort));
    try {
      await node.start();
      return node;
    } catch (error) {
      await node.dispose();
      throw error;
    }
  }

  get isCalm(): boolean {
    return Date.now() >= this.calmFrom;
  }

  async start(): Promise<void> {
    await this.gateway.start();
    await this.reaches("ready");
  }

  async status(): Promise<string | undefined> {
    const answer = await this.gateway.get("/readyz", "").catch(() => undefined);
    return answer && JSON.parse(answer.text).status;
  }

  /** Resolves with the time until it reports ready. */
  async reaches(status: "ready" | "degraded", patienceMs = READY_MS): Promise<number> {
    const startedAt = Date.now();
    await until(async () => (await this.status()) === status, patienceMs);
    return Date.now() - startedAt;
  }

  /** One of its counters. */
  async count(metric: string): Promise<number> {
    const { text } = await this.gateway.get("/metrics", "");
    return Number(new RegExp(`^presence_cluster_${metric} (\\d+)$`, "m").exec(text)?.[1]);
  }

  async dispose(): Promise<void> {
    this.gateway.signal("SIGCONT");
    await this.gateway.end("SIGKILL");
    await this.network.stop();
  }

  #logged(line: string): void {
    const at = Date.now();
    this.oracle.output("the log", line, at);
    if (!line.startsWith("{")) return this.oracle.crashed(`${this.name} printed: ${line.slice(0, 500)}`, at);
    const { level, msg, reason } = JSON.parse(line);
    if (level >= 50) this.oracle.crashed(`${this.name} logged: ${line.slice(0, 500)}`, at);
    if (level >= 30) this.oracle.record(at, undefined, `${this.name}: ${msg} ${reason ?? ""}`);
  }
}
