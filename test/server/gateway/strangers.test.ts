import { expect, it } from "vitest";
import { makeId } from "../../../src/core/ids.ts";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { decodeMessage } from "../../../src/protocol/codec.ts";
import { App } from "../../../src/server/auth/app.ts";
import { GatewayNode } from "../../../src/server/gateway/gateway-node.ts";
import { answerUpgrade } from "../../../src/server/gateway/upgrade.ts";
import { AnonymousRequests } from "../../../src/server/http/anonymous-requests.ts";
import { createRouter } from "../../../src/server/http/router.ts";
import { createMetrics } from "../../../src/server/observability/metrics.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import { testRoutes } from "../../support/app-routes.ts";
import { askRouter } from "../../support/http-handler.ts";
import { runs } from "../../support/seed.ts";

const MANY = runs(100_000);

it(`${MANY} strangers' paths, methods, apps and ids leave the metrics as large as they were`, async () => {
  const defects: unknown[] = [];
  const metrics = createMetrics(
    () => {},
    (error) => defects.push(error),
  );
  const { limits } = readSettings(
    { HTTP_REQUESTS_PER_SECOND: "10000000" },
    { openFiles: 65_536, readFile: () => "" },
  );
  const clock = { now: () => 0, wallNow: () => 0 };
  const app = new App({ id: "app", secrets: ["x"] });
  const { telemetry } = metrics;
  const node = new GatewayNode({
    apps: [app],
    limits,
    clock,
    telemetry,
    nodeId: "n",
    makeId,
    random: Math.random,
  });
  node.stop();
  metrics.observe(node);
  const anonymous = new AnonymousRequests({ telemetry, now: () => 0, isProxy: () => false });
  const handle = createRouter(testRoutes({ node, anonymous }), anonymous);
  const ours = (text: string) =>
    text
      .split("\n")
      .filter((line) => /^presence_(?!nodejs_|process_)/.test(line))
      .map((line) => line.replace(/ \S+$/, ""));
  const before = await metrics.render();

  const headers = { authorization: "Bearer x" } as never;
  for (let i = 0; i < MANY; i++) {
    const [method, path] = [
      ["GET", `/path-${i}`],
      [`METHOD${i}`, "/v1/app/stats"],
      ["GET", `/v1/app-${i}/stats`],
      ["GET", `/v1/app/users/user-${i}/sessions`],
    ][i % 4] as [string, string];
    const address = () => `10.${i % 250}.0.1`;
    await askRouter(handle, { method, path, query: `x=${i}`, headers, address, body: Buffer.alloc(0) });
    answerUpgrade(node, {
      appId: `app-${i}`,
      origin: `https://${i}.example`,
      address: `stranger ${i}`,
      boundsFirstMessage: i % 2 === 0,
    });
    if (i % 10 > 0) continue;
    const decoded = decodeMessage(`{"type":"type-${i}","id":${i}}`);
    if (decoded.kind === "bad") telemetry.refused("bad_message");
  }
  const started = performance.now();
  const { text } = await metrics.render();
  const ms = performance.now() - started;
  expect(ours(text)).toEqual(ours(before.text));
  expect(text.length).toBeLessThan(200_000);
  expect(text).not.toMatch(/stranger|app-\d|user-\d|path-\d|METHOD|type-\d/);
  expect(defects).toEqual([]);
  expect(node.admissions.addresses).toBe(0);
  process.stdout.write(
    `metrics after ${MANY} strangers: ${ours(text).length} series of ours, ${text.length} bytes, scraped in ${ms.toFixed(1)} ms\n`,
  );
});

it("ids that are crafted to collide in V8's hash tables cost as much as others", () => {
  const count = 20_000;
  // Numbers as texts had a hash that follows from their value, and these differ only above the bits that were
  // looked at.
  const crafted = Array.from({ length: count }, (_, i) => String(i * 65_536));
  const random = Array.from({ length: count }, (_, i) =>
    String(2_000_000_000 + (Math.imul(i, 2_654_435_761) % 1_000_000_000)),
  );
  const join = (ids: readonly string[]) => {
    const text = JSON.stringify({ type: "query", id: 1, filter: { userIds: ids.slice(0, 1_000) } });
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round++) {
      const fresh = JSON.parse(JSON.stringify(ids)) as string[];
      const table = new Table();
      const started = process.cpuUsage();
      expect(decodeMessage(text).kind).toBe("message");
      for (const id of fresh)
        table.open(id, id, "widget", { ...NEW_SESSION, selectedConversationId: id }, undefined);
      for (const id of fresh) table.user(id);
      best = Math.min(best, process.cpuUsage(started).user);
    }
    return best;
  };
  const ratio = join(crafted) / join(random);
  process.stdout.write(
    `${count} ids made to collide: ${ratio.toFixed(2)} of the processor time of others, Node ${process.version}\n`,
  );
  // It would be hundreds.
  expect(ratio).toBeLessThan(10);
});
