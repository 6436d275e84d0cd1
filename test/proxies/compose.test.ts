import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { mintToken } from "../../src/server/auth/mint.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { documentedUser, RedisServer, whyNoRedis } from "../programs/redis-server.ts";
import { ReverseProxy, whyNoProxy } from "../programs/reverse-proxy.ts";
import { TestClient } from "../support/client.ts";
import { GatewayProcess, PROJECT } from "../support/process.ts";
import { tell } from "../support/redis-cluster.ts";
import { unless } from "../support/unless.ts";
import { until } from "../support/until.ts";

// The tests need no Docker. They read the file and run its programs without containers.

interface Service {
  readonly image?: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly environment?: Record<string, string>;
  readonly stop_grace_period?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

const APP = "my-app";
const SECRET = "use-32-random-characters-or-more";
const VARIABLES: Record<string, string> = {
  APPS: JSON.stringify([{ id: APP, secrets: [SECRET] }]),
  REDIS_PASSWORD: "0123456789abcdef",
};
const CONFIG = "haproxy-nodes.cfg";
const LEASE_MS = 2_000;
/** Long enough for a client to reconnect in time on a busy machine. */
const WINDOW_MS = 8_000;

/** Fills in variables as `docker compose` does. Throws if one is missing. */
function interpolate<T>(value: T): T {
  const text = JSON.stringify(value).replace(/\$\{(\w+)(?::\?[^}]*)?\}/g, (_, name: string) => {
    expect(VARIABLES, name).toHaveProperty(name);
    return JSON.stringify(VARIABLES[name]).slice(1, -1);
  });
  return JSON.parse(text);
}

const compose = interpolate(
  parse(readFileSync(join(PROJECT, "deploy/compose.yml"), "utf8"), { merge: true }),
) as { services: Record<string, Service>; networks: Record<string, unknown> };
const { node1, node2, valkey, proxy } = compose.services as Record<string, Required<Service>>;

describe("deploy/compose.yml", () => {
  it.each(Object.entries(compose.services))("gives %s no more rights than it needs", (name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      restart: "unless-stopped",
      networks: ["inside"],
    });
    if (service.build === undefined) expect(service.image).toMatch(/^[\w/]+:\d+\.\d+\.\d+-alpine$/);
    const ports = name === "proxy" ? [expect.stringMatching(/^127\.0\.0\.1:8080:80$/)] : undefined;
    expect(service.ports).toEqual(ports);
    const dockerfile = readFileSync(join(PROJECT, "Dockerfile"), "utf8");
    const isChecked = service.build === ".." ? /^HEALTHCHECK/m.test(dockerfile) : service.healthcheck;
    expect(isChecked).toBeTruthy();
  });

  it("has settings that a node accepts and that match the other services", () => {
    expect(node2).toEqual(node1);
    const settings = readSettings(node1!.environment, { openFiles: 65_536, readFile: () => "" });
    expect(settings.warnings).toEqual([]);
    expect(settings.redisUrls).toEqual([`redis://presence:${VARIABLES.REDIS_PASSWORD}@valkey:6379`]);
    expect(settings.trustProxy("172.31.251.7", 0)).toBe(true);
    expect(settings.trustProxy("172.31.252.7", 0)).toBe(false);
    expect(JSON.stringify(compose.networks)).toContain(node1!.environment.TRUST_PROXY);
    expect(node1!.stop_grace_period).toBe(`${Number(node1!.environment.TERMINATION_GRACE_MS) / 1_000}s`);
    const [, maxmemory] = / --maxmemory (\d+)gb /.exec(valkey!.command.join(" "))!;
    // Room for the log, and as much again for everything else.
    expect(Number(maxmemory) * 2 ** 30).toBeGreaterThan(2 * settings.redisLogBytes);
    const user = documentedUser().replace("a-password", VARIABLES.REDIS_PASSWORD!);
    expect(valkey!.command.join(" ")).toContain("--user default off");
    expect(valkey!.command.join(" ").split(" --user ").at(-1)).toBe(user);
    expect(proxy!.volumes[0]).toMatch(new RegExp(`^./proxies/${CONFIG}:`));
    const config = readFileSync(join(PROJECT, "deploy/proxies", CONFIG), "utf8");
    expect([...config.matchAll(/^ {2}server \w+ (\S+)$/gm)].map(([, server]) => server)).toEqual([
      "node1:8080",
      "node2:8080",
    ]);
  });

  unless(whyNoRedis() ?? whyNoProxy("haproxy"), it)(
    "runs: whoever loses a node goes on at the other, and nobody sees it",
    async ({ onTestFinished }) => {
      const redis = await RedisServer.start(valkey!.command.slice(1));
      onTestFinished(() => redis.stop());
      // The health check of the service waits for this.
      await expect(tell(redis, "PING")).rejects.toThrow("NOAUTH");
      const nodes = [node1, node2].map((service) => {
        const { REDIS_URL, ...environment } = service!.environment;
        return new GatewayProcess({
          ...environment,
          HOST: "127.0.0.1",
          TRUST_PROXY: "127.0.0.1",
          REDIS_URL: REDIS_URL!.replace("valkey:6379", `127.0.0.1:${redis.port}`),
          NODE_LEASE_MS: String(LEASE_MS),
          RESUME_WINDOW_MS: String(WINDOW_MS),
        });
      });
      for (const node of nodes) onTestFinished(async () => void (await node.stop("SIGKILL")));
      const ports = await Promise.all(nodes.map((node) => node.port()));
      const balancer = await ReverseProxy.start("haproxy", ports, { file: CONFIG });
      onTestFinished(() => balancer.stop());
      const url = `127.0.0.1:${balancer.port}`;
      for (const port of ports)
        await until(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status === 200);
      const authorization = `Bearer ${SECRET}`;
      // The balancer checks each node separately, so it may notice one earlier than the other.
      const known = new Set<unknown>();
      await until(async () => {
        const response = await fetch(`http://${url}/v1/${APP}/node`, { headers: { authorization } });
        if (response.ok) known.add(((await response.json()) as { nodeId: string }).nodeId);
        return known.size === nodes.length;
      });

      const token = await mintToken(APP, SECRET, { tokenType: "app" });
      /** Connects a client. Returns it with the index of its node in `nodes`. */
      const connect = async (): Promise<{ client: TestClient; at: number }> => {
        const client = await TestClient.open(`ws://${url}/v1/${APP}/realtime`);
        onTestFinished(async () => client.terminate());
        client.send({ type: "connect", token });
        const { nodeId } = await client.next("connected");
        return { client, at: nodes.findIndex(({ output }) => output.includes(`"node":"${nodeId}"`)) };
      };
      const [one, other] = [await connect(), await connect()];
      // The balancer chooses the node with the fewest connections, so each node has one.
      expect([one.at, other.at].sort()).toEqual([0, 1]);
      const sessionId = await one.client.open({ userId: "alice", hasFocus: true });
      await other.client.subscribe({});
      const ask = async () => {
        const response = await fetch(`http://${url}/v1/${APP}/presences`, {
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body: '{"hasFocus":true}',
        });
        expect(response.status).toBe(200);
        return Object.keys(((await response.json()) as { data: object }).data);
      };
      await until(async () => (await ask()).includes("alice") && (await ask()).includes("alice"));
      await other.client.settled();
      other.client.inbox.length = 0;

      await nodes[one.at]!.stop("SIGKILL");
      await one.client.closed;
      const again = await connect();
      expect(again.at).toBe(other.at);
      const resumed = await again.client.ask({ type: "open", kind: "widget", userId: "alice", sessionId });
      expect(resumed).toMatchObject({ sessionId, resumed: true });
      await delay(LEASE_MS + WINDOW_MS + 1_500);
      for (let i = 0; i < 4; i++) expect(await ask()).toEqual(["alice"]);
      expect(other.client.inbox).toEqual([]);
    },
  );
});
