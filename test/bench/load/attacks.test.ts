import { expect, it } from "vitest";
import { largeFilter } from "../../../bench/load/attacks.ts";
import { APP, SECRET } from "../../../bench/servers/app.ts";
import { TestGateway } from "../../support/gateway.ts";

it("the gateway of the benchmarks takes the large filters of an attack", async () => {
  const gateway = await TestGateway.start("ws", { apps: [{ id: APP.id, secrets: [SECRET] }] });
  const client = await gateway.socket({ appId: APP.id });
  const claims = { tokenType: "user", sub: "mallory", read: "all" } as const;
  client.send({ type: "connect", token: await gateway.token(claims, undefined, APP.id, SECRET) });
  for (const count of [0, 1]) {
    expect(Buffer.byteLength(JSON.stringify(largeFilter(count)))).toBeGreaterThan(32_768);
    expect(await client.subscribe(largeFilter(count))).toMatchObject({ type: "snapshot" });
  }
  expect(gateway.presence(APP.id).subscriptions).toBe(2);
  await gateway.stop();
});
