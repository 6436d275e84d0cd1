import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ownPort } from "./own-port.ts";

export type ProxyName = "nginx" | "haproxy";

const FILES: Record<ProxyName, string> = { nginx: "nginx.conf", haproxy: "haproxy.cfg" };
/** Relative to the project's folder, where npm runs tests and benchmarks, also compiled ones. */
const FOLDER = "deploy/proxies";
const START_MS = 60_000;

/** Debian installs both in a folder that is only in root's PATH. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** The version that a proxy reports; undefined if it is not installed. */
export function installedVersion(name: ProxyName): string | undefined {
  const { status, stdout, stderr } = spawnSync(name, ["-v"], {
    env: { ...process.env, PATH },
    encoding: "utf8",
  });
  return status === 0 ? `${stdout}${stderr}`.split("\n")[0] : undefined;
}

/** The proxies that can be tested here. If one is missing, CI fails unless PROXY_TESTS is "off". */
export function installedProxies(): readonly ProxyName[] {
  const names = Object.keys(FILES) as ProxyName[];
  if (process.env.PROXY_TESTS === "off") {
    process.stdout.write("nginx and HAProxy are not tested: PROXY_TESTS is off\n");
    return [];
  }
  const missing = names.filter((name) => installedVersion(name) === undefined);
  if (missing.length > 0) {
    if (process.env.CI)
      throw new Error(`not installed: ${missing.join(", ")} (PROXY_TESTS=off goes without)`);
    process.stdout.write(`not tested, since not installed: ${missing.join(", ")}\n`);
  }
  return names.filter((name) => !missing.includes(name));
}

/** Why tests that need one of these proxies cannot run here. */
export function whyNoProxy(...names: readonly ProxyName[]): string | undefined {
  const installed = installedProxies();
  if (names.some((name) => installed.includes(name))) return undefined;
  return `${names.join(", ")}: not installed, or PROXY_TESTS is off`;
}

export interface ReverseProxyOptions {
  /** A configuration other than the one for a single gateway. */
  readonly file?: string;
  /** Replaces the 60 s of the configuration. */
  readonly idleSeconds?: number;
  /** Lines of the configuration to omit. */
  readonly without?: RegExp;
}

/** nginx or HAProxy with a configuration of deploy/proxies, in front of one or several gateways. */
export class ReverseProxy {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(port: number, child: ChildProcess, folder: string) {
    this.port = port;
    this.#child = child;
    this.#folder = folder;
  }

  static async start(
    name: ProxyName,
    gatewayPorts: number | readonly number[],
    { file = FILES[name], idleSeconds = 60, without }: ReverseProxyOptions = {},
  ): Promise<ReverseProxy> {
    const port = await ownPort();
    const folder = mkdtempSync(join(tmpdir(), "presence-proxy-"));
    // If root starts nginx, its workers run as another user.
    chmodSync(folder, 0o755);
    const written = readFileSync(join(FOLDER, file), "utf8");
    const config = join(folder, file);
    const ports = [gatewayPorts].flat();
    const text = written
      .replace("127.0.0.1:8080", `127.0.0.1:${ports[0]}`)
      .replace(/( {2}server node\d \S+:808\d\n)+/, () => ports.map(serverLine).join(""))
      .replace("listen 80;", `listen 127.0.0.1:${port};`)
      .replace("bind :80", `bind 127.0.0.1:${port}`)
      .replaceAll("60s", `${idleSeconds}s`);
    const lines = text.split("\n").filter((line) => without === undefined || !without.test(line));
    writeFileSync(config, lines.join("\n"));
    const args = name === "nginx" ? ["-p", folder, "-c", config, "-g", "daemon off;"] : ["-f", config];
    const child = spawn(name, args, { env: { ...process.env, PATH }, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    child.stdout!.on("data", (data) => {
      said += data;
    });
    child.stderr!.on("data", (data) => {
      said += data;
    });
    const proxy = new ReverseProxy(port, child, folder);
    let why: string | undefined;
    child.once("error", ({ message }) => {
      why = message;
    });
    const deadline = performance.now() + START_MS;
    while (!(await answers(port))) {
      why ??= refusal(child, said) ?? (performance.now() > deadline ? "it does not listen" : undefined);
      if (why !== undefined) {
        await proxy.stop();
        throw new Error(`${name} did not start (${why}):\n${said}`);
      }
      await delay(20);
    }
    return proxy;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async stop(): Promise<void> {
    const { exitCode, signalCode, pid } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function serverLine(port: number, i: number): string {
  return `  server node${i + 1} 127.0.0.1:${port}\n`;
}

/** The reason why the proxy will not start. nginx retries for seconds if its port is in use. */
function refusal({ exitCode, signalCode }: ChildProcess, said: string): string | undefined {
  if (exitCode !== null || signalCode !== null) return `it ended with ${exitCode ?? signalCode}`;
  return /\bbind\(\) to .* failed/.exec(said)?.[0];
}

async function answers(port: number): Promise<boolean> {
  const tcp = connect(port, "127.0.0.1");
  const isOpen = await Promise.race([
    once(tcp, "connect").then(() => true),
    once(tcp, "error").then(() => false),
  ]).catch(() => false);
  tcp.destroy();
  return isOpen;
}
