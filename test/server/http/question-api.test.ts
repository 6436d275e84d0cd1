import { expect, it } from "vitest";
import { MAX_CHECK_BYTES } from "../../../src/server/http/question-api.ts";
import { appRoutes } from "../../support/app-routes.ts";
import { jsonOf } from "../../support/http-handler.ts";

const body = JSON.stringify({ userIds: ["alice", "bob"] });

it("a check says that the node may not know all, while it does not", async () => {
  const { ask, node } = appRoutes();
  const check = async () => jsonOf(await ask("POST", "/v1/app/presences/check", { body }));
  const data = { present: [], absent: ["alice", "bob"], statuses: {} };
  expect(await check()).toEqual({ data });
  Object.defineProperty(node, "isDegraded", { value: true });
  expect(await check()).toEqual({ data, degraded: true });
});

it("10,000 ids fit into the body of a check, however long they are", () => {
  const userIds = Array.from({ length: 10_000 }, () => "👩".repeat(127));
  expect(Buffer.byteLength(JSON.stringify({ userIds }))).toBeGreaterThan(MAX_CHECK_BYTES);
  expect(JSON.stringify({ userIds: userIds.map(() => "x".repeat(255)) }).length).toBeLessThan(
    MAX_CHECK_BYTES,
  );
});

it("the time at which users were last seen is for apps that keep it", async () => {
  expect((await appRoutes().ask("POST", "/v1/app/last-seen", { body })).status).toBe(404);
  const { ask } = appRoutes({}, { lastSeen: true });
  expect(jsonOf(await ask("POST", "/v1/app/last-seen", { body }))).toEqual({ data: {} });
});
