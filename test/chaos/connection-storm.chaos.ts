import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { TestClient } from "../support/client.ts";
import { cpuSeconds } from "../support/cpu.ts";
import { GatewayProcess } from "../support/process.ts";

// One address opens connections as fast as a process can, and new clients come from others. It prints how
// long those wait and what a connection of the attacker costs. On `ws`, where Node takes them one by one.

const APPS = JSON.stringify([
  { id: "app", secrets: ["a secret that is long enough for anybody, and for this"] },
]);
const NEW_CLIENTS = 50;

/** What the attacker does with a connection `tcp` that is open. */
const STORMS: readonly [name: string, act: string][] = [
  ["are reset at once", "tcp.resetAndDestroy()"],
  ["ask and are reset", "tcp.write(request); setImmediate(() => tcp.resetAndDestroy())"],
];

/** Opens 500 at a time, and says how many it has opened. */
const attacker = (port: number, act: string) => `
  const { connect } = require("node:net");
  const request = "GET /healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n";
  let opened = 0;
  const one = () => {
    const tcp = connect({ port: ${port}, host: "127.0.0.1", localAddress: "127.0.0.66" });
    tcp.on("connect", () => {
      if (++opened % 1000 === 0) console.log(opened);
      ${act};
    });
    tcp.on("error", () => {});
    tcp.on("close", () => setImmediate(one));
  };
  for (let i = 0; i < 500; i++) one();`;

describe("a storm of connections over ws", () => {
  it.each(STORMS)("new clients get in while connections of one address %s", async (name, act) => {
    const run = new GatewayProcess({ APPS, HOST: "127.0.0.1", DRAIN_MS: "0", TRANSPORT: "ws" });
    const port = await run.port();
    const pid = run.child.pid!;
    const storm = spawn(process.execPath, ["-e", attacker(port, act)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(storm, "exit");
    let opened = 0;
    storm.stdout.on("data", (lines: Buffer) => {
      opened = Number(String(lines).trim().split("\n").at(-1));
    });
    try {
      await once(storm.stdout, "data");
      const before = { opened, cpu: cpuSeconds(pid) ?? 0, at: performance.now() };
      const waits: number[] = [];
      for (let i = 0; i < NEW_CLIENTS; i++) {
        const localAddress = `127.0.1.${1 + i}`;
        const asked = performance.now();
        const client = await TestClient.open(`ws://127.0.0.1:${port}/v1/app/realtime`, { localAddress });
        waits.push(performance.now() - asked);
        client.terminate();
      }
      const seconds = (performance.now() - before.at) / 1_000;
      const [attacked, used] = [opened - before.opened, (cpuSeconds(pid) ?? 0) - before.cpu];
      waits.sort((a, b) => a - b);
      const [p50, p90] = [0.5, 0.9].map((share) => waits[Math.floor(share * waits.length)]!.toFixed(0));
      process.stdout.write(
        `ws: ${name}: ${(attacked / seconds).toFixed(0)} a second, new clients wait p50 ${p50}, p90 ${p90} ms; ${((1e6 * used) / Math.max(1, attacked)).toFixed(0)} us of processor for each\n`,
      );
      expect(waits).toHaveLength(NEW_CLIENTS);
      expect(run.output).not.toContain("crash");
    } finally {
      storm.kill("SIGKILL");
      await exited;
      await run.stop();
    }
  });
});
