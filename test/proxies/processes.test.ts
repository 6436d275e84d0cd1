import { expect, it } from "vitest";
import { ReverseProxy, whyNoProxy } from "../programs/reverse-proxy.ts";
import { TestClient } from "../support/client.ts";
import { TestGateway } from "../support/gateway.ts";
import { unless } from "../support/unless.ts";

const SECRET = "a secret of every app here, and of nothing else";
const APPS = Array.from({ length: 16 }, (_, i) => ({ id: `app-${i}`, secrets: [SECRET] }));

unless(whyNoProxy("haproxy"), it)(
  "one gateway for each core, behind one port: an app is in one of them, and in another when that one is gone",
  async ({ onTestFinished }) => {
    const gateways = [
      await TestGateway.start("ws", { apps: APPS }),
      await TestGateway.start("ws", { apps: APPS }),
    ];
    for (const gateway of gateways) onTestFinished(() => gateway.stop());
    const ports = gateways.map(({ gateway }) => gateway.port);
    const proxy = await ReverseProxy.start("haproxy", ports, { file: "haproxy-processes.cfg" });
    onTestFinished(() => proxy.stop());

    const enter = async (appId: string, userId: string) => {
      const client = await TestClient.open(`ws://127.0.0.1:${proxy.port}/v1/${appId}/realtime`);
      onTestFinished(async () => client.terminate());
      client.send({
        type: "connect",
        token: await gateways[0]!.token({ tokenType: "app" }, undefined, appId, SECRET),
      });
      await client.next("connected");
      await client.open({ userId });
      return client;
    };
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${proxy.port}/v1/${path}/presences`, {
        method: "POST",
        headers: { authorization: `Bearer ${SECRET}`, "content-type": "application/json" },
        body: "{}",
      });
      return response.ok ? Object.keys(((await response.json()) as { data: object }).data) : response.status;
    };
    const usersIn = (gateway: TestGateway, appId: string) => gateway.presence(appId).table.counts().users;

    for (const { id } of APPS) for (const user of ["alice", "bob"]) await enter(id, user);
    for (const { id } of APPS) {
      expect(gateways.map((gateway) => usersIn(gateway, id)).sort()).toEqual([0, 2]);
      expect(await ask(id)).toEqual(["alice", "bob"]);
    }
    // An escaped app id leads to the same node.
    expect(await ask("%61pp-0")).toEqual(["alice", "bob"]);
    const held = (gateway: TestGateway) => APPS.filter(({ id }) => usersIn(gateway, id) > 0);
    const [gone, left] = gateways as [TestGateway, TestGateway];
    const moving = held(gone);
    const staying = held(left);
    expect(moving.length).toBeGreaterThan(0);
    expect(staying.length).toBeGreaterThan(0);

    await gone.stop();
    for (const { id } of staying) expect(await ask(id)).toEqual(["alice", "bob"]);
    // HAProxy needs a moment to notice.
    for (const { id } of moving) {
      await expect.poll(() => ask(id)).toEqual([]);
      await enter(id, "alice");
      expect(usersIn(left, id)).toBe(1);
    }
  },
);
