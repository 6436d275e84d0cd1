import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { z } from "zod";
import {
  BatchResponses,
  CheckedUsers,
  Ended,
  Erased,
  ErrorBody,
  Health,
  LastSeenUsers,
  NodeDescription,
  Presences,
  Stats,
  UserCount,
  UserSessions,
  UserStatus,
  WrittenSession,
} from "../../src/server/http/schemas.ts";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required: boolean }[];
  responses: Record<string, { description: string }>;
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, { properties?: object }>; securitySchemes: object };
}

/** Every value of every `$ref` in a document. */
function refs(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => (key === "$ref" ? [item as string] : refs(item)));
}

function resolve(document: unknown, ref: string): unknown {
  return ref
    .slice(2)
    .split("/")
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
}

describe.each(TRANSPORTS)("openapi.json over %s", (transport) => {
  let gateway: TestGateway;
  let client: TestClient;
  let document: Document;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { app: { lastSeen: true } });
    client = await gateway.connect();
    await client.open({ userId: "alice", selectedConversationId: "c1", custom: { mood: "fine" } });
    await client.open({ userId: "alice", kind: "background" });
    document = (await gateway.http("GET", "/openapi.json", undefined, { authorization: "" })).json;
  });
  afterAll(() => gateway.stop());

  it("has AsyncAPI 3 for the WebSocket beside it, without credentials", async () => {
    const response = await gateway.http("GET", "/asyncapi.json", undefined, { authorization: "" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^application\/json/);
    expect(response.json).toMatchObject({ asyncapi: "3.0.0", info: { version: document.info.version } });
  });

  it("is OpenAPI 3.1", () => {
    expect(document.openapi).toMatch(/^3\.1\.\d+$/);
    expect(document.info).toMatchObject({
      title: "presence-gateway",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    expect(document.components.securitySchemes).toHaveProperty("app");
  });

  it("refers to nothing that is not there", () => {
    const all = refs(document);
    expect(all.length).toBeGreaterThan(10);
    for (const ref of all) {
      expect(ref).toMatch(/^#\//);
      expect(resolve(document, ref)).toBeTypeOf("object");
    }
  });

  it("names each operation once, with the parameters of its path", () => {
    const operations = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.values(item).map((operation) => ({ path, ...operation })),
    );
    const names = operations.map(({ operationId }) => operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { path, parameters = [], responses } of operations) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = parameters.filter((each) => each.in === "path");
      expect(declared.map(({ name }) => name)).toEqual(inPath);
      for (const { required } of declared) expect(required).toBe(true);
      for (const { description } of Object.values(responses)) expect(description).not.toBe("");
    }
  });

  it("has the routes that there are, and the filter's fields", async () => {
    const routes = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(routes.sort()).toEqual(
      [
        "POST /v1/{appId}/presences",
        "GET /v1/{appId}/presences/stream",
        "POST /v1/{appId}/presences/count",
        "POST /v1/{appId}/presences/check",
        "POST /v1/{appId}/last-seen",
        "POST /v1/{appId}/batch",
        "DELETE /v1/{appId}/users/{userId}",
        "DELETE /v1/{appId}/users",
        "GET /v1/{appId}/users/{userId}/status",
        "PUT /v1/{appId}/users/{userId}/status",
        "DELETE /v1/{appId}/users/{userId}/status",
        "GET /v1/{appId}/users/status",
        "PUT /v1/{appId}/users/status",
        "DELETE /v1/{appId}/users/status",
        "PUT /v1/{appId}/users/{userId}/sessions/{key}",
        "DELETE /v1/{appId}/users/{userId}/sessions/{key}",
        "PUT /v1/{appId}/users/sessions",
        "GET /v1/{appId}/users/{userId}/sessions",
        "DELETE /v1/{appId}/users/{userId}/sessions",
        "GET /v1/{appId}/users/sessions",
        "DELETE /v1/{appId}/users/sessions",
        "GET /v1/{appId}/stats",
        "GET /v1/{appId}/node",
        "GET /v1/{appId}/realtime",
        "GET /metrics",
        "GET /openapi.json",
        "GET /asyncapi.json",
        "GET /dashboard",
        "GET /healthz",
        "GET /readyz",
      ].sort(),
    );
    expect(Object.keys(document.components.schemas.Filter?.properties ?? {}).sort()).toEqual([
      "custom",
      "expandUser",
      "fields",
      "hasFocus",
      "includeBackgroundSessions",
      "includeInvisible",
      "isTyping",
      "selectedConversationId",
      "status",
      "userIds",
    ]);
  });

  const ANSWERS: [method: string, path: string, body: unknown, status: number, schema: z.ZodType][] = [
    ["POST", `/v1/${APP}/presences`, { includeBackgroundSessions: true }, 200, Presences],
    ["GET", `/v1/${APP}/users/alice/sessions`, undefined, 200, UserSessions],
    ["GET", `/v1/${APP}/users/nobody/sessions`, undefined, 200, UserSessions],
    ["GET", `/v1/${APP}/users/sessions?userId=alice`, undefined, 200, UserSessions],
    ["DELETE", `/v1/${APP}/users/sessions?userId=..`, undefined, 200, Ended],
    ["GET", `/v1/${APP}/users/sessions`, undefined, 400, ErrorBody],
    ["GET", `/v1/${APP}/stats`, undefined, 200, Stats],
    ["GET", `/v1/${APP}/node`, undefined, 200, NodeDescription],
    ["DELETE", `/v1/${APP}/users/nobody/sessions`, undefined, 200, Ended],
    ["POST", `/v1/${APP}/presences/count`, {}, 200, UserCount],
    ["POST", `/v1/${APP}/presences/check`, { userIds: ["alice", "bob"] }, 200, CheckedUsers],
    ["POST", `/v1/${APP}/presences/check`, {}, 400, ErrorBody],
    ["POST", `/v1/${APP}/last-seen`, { userIds: ["alice", "bob"] }, 200, LastSeenUsers],
    ["PUT", `/v1/${APP}/users/bob/status`, { availability: "busy", text: "in a call" }, 200, UserStatus],
    ["GET", `/v1/${APP}/users/status?userId=bob`, undefined, 200, UserStatus],
    ["DELETE", `/v1/${APP}/users/bob/status`, undefined, 200, UserStatus],
    ["PUT", `/v1/${APP}/users/bob/sessions/k`, {}, 200, WrittenSession],
    ["DELETE", `/v1/${APP}/users/bob/sessions/k`, undefined, 200, Ended],
    ["DELETE", `/v1/${APP}/users/bob`, undefined, 200, Erased],
    ["POST", `/v1/${APP}/batch`, [[1, "GET", "/stats"]], 200, BatchResponses],
    ["GET", "/healthz", undefined, 200, Health],
    ["GET", "/readyz", undefined, 200, Health],
    ["POST", `/v1/${APP}/presences`, { userIds: 1 }, 400, ErrorBody],
    ["POST", "/v1/nowhere/presences", {}, 404, ErrorBody],
    ["PUT", `/v1/${APP}/presences`, {}, 405, ErrorBody],
  ];

  it.each(ANSWERS)("describes what %s %s answers to %j", async (method, path, body, status, schema) => {
    const answer = await gateway.http(method, path, body);
    expect(answer.status).toBe(status);
    // A field that no schema names would be dropped by it, and the two would differ.
    expect(schema.parse(answer.json)).toEqual(answer.json);
    if (path.endsWith("presences") && status === 200) expect(answer.json.data).toHaveProperty("alice");
  });
});
