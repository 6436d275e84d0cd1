import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openApiDocument } from "../../src/server/http/openapi.ts";
import { MAX_CHECK_BYTES } from "../../src/server/http/question-api.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { expectError } from "../support/http-errors.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

// The errors that every route of an app has. The routes are those of the OpenAPI document, and another test
// shows that these are all.

interface Operation {
  readonly requestBody?: unknown;
}

const { paths } = openApiDocument("1.2.3") as { paths: Record<string, Record<string, Operation>> };
const ROUTES = Object.entries(paths)
  .filter(([path]) => path.startsWith("/v1/{appId}/") && !path.endsWith("/realtime"))
  .flatMap(([path, item]) =>
    Object.entries(item).map(([method, { requestBody }]) => ({
      method: method.toUpperCase(),
      /** Below the app. */
      path: path.slice("/v1/{appId}".length).replace("{userId}", "alice").replace("{key}", "key"),
      hasBody: requestBody !== undefined,
    })),
  );
/** With the query of the routes that have the user there. */
function withUser(path: string): string {
  if (/\/users(\/status)?$/.test(path)) return `${path}?userId=alice`;
  return path.endsWith("/users/sessions") ? `${path}?userId=alice&key=key` : path;
}
const WITH_BODY = ROUTES.filter(({ hasBody }) => hasBody).map(({ method, path }) => ({
  method,
  path: withUser(path),
}));

describe.each(TRANSPORTS)("errors over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport, { app: { lastSeen: true } });
    await (await gateway.connect("alice")).open({ custom: { mood: "fine" } });
  });
  // None of the refused requests has changed anything.
  afterAll(async () => {
    expect(Object.keys(await gateway.query())).toEqual(["alice"]);
    expect((await gateway.http("GET", `/v1/${APP}/users/alice/sessions`)).json).toHaveLength(1);
    await gateway.stop();
  });

  it.each(ROUTES)("$method $path without valid credentials is 401, whatever else is wrong", async (route) => {
    const user = await gateway.token({ tokenType: "user", sub: "alice", read: "all" });
    const body = route.hasBody ? "{" : undefined;
    for (const authorization of ["", "Bearer wrong", `Bearer ${user}`]) {
      const answer = await gateway.http(route.method, `/v1/${APP}${route.path}?x=1`, body, { authorization });
      await expectError(answer, 401, "UNAUTHORIZED");
      expect(answer.headers.get("www-authenticate")).toMatch(/^Bearer/);
    }
  });

  it.each(ROUTES)("$method $path of an unknown app is 404", async ({ method, path }) => {
    await expectError(await gateway.http(method, `/v1/nowhere${withUser(path)}`), 404, "NOT_FOUND");
  });

  it.each(ROUTES)("PATCH instead of $method $path is 405", async ({ method, path }) => {
    const answer = await gateway.http("PATCH", `/v1/${APP}${path}`, "{}");
    await expectError(answer, 405, "METHOD_NOT_ALLOWED");
    expect(answer.headers.get("allow")!.split(", ")).toContain(method);
  });

  it.each(WITH_BODY)("$method $path with a body that is none is 400", async ({ method, path }) => {
    for (const body of ["{", "null", "1", '"{}"', path === "/batch" ? "{}" : "[]"]) {
      await expectError(await gateway.http(method, `/v1/${APP}${path}`, body), 400, "BAD_REQUEST");
    }
  });

  it.each(WITH_BODY.filter(({ path }) => path !== "/batch"))(
    "$method $path with an unknown field is 400, which names it",
    async ({ method, path }) => {
      const answer = await gateway.http(method, `/v1/${APP}${path}`, { userIds: ["alice"], isTypin: true });
      await expectError(answer, 400, "BAD_REQUEST");
      expect(answer.json.reasons).toHaveProperty("isTypin");
    },
  );

  it.each(WITH_BODY)("$method $path with a body that is not plain JSON is 415", async ({ method, path }) => {
    for (const headers of [{ "content-type": "text/plain" }, { "content-encoding": "gzip" }]) {
      const answer = await gateway.http(method, `/v1/${APP}${path}`, "{}", headers);
      await expectError(answer, 415, "UNSUPPORTED_MEDIA_TYPE");
      expect(Object.keys(answer.json.reasons)).toEqual(Object.keys(headers));
    }
  });

  it.each(WITH_BODY)("$method $path with a body that is too long is 413", async ({ method, path }) => {
    const max = path === "/presences/check" ? MAX_CHECK_BYTES : 512 * 1024;
    const head = `${method} /v1/${APP}${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n`;
    const length = `Content-Length: ${max + 1}\r\n\r\n`;
    const chunked = `Transfer-Encoding: chunked\r\n\r\n${(max + 1).toString(16)}\r\n`;
    for (const body of [length + " ".repeat(max + 1), `${chunked}${" ".repeat(max + 1)}\r\n0\r\n\r\n`]) {
      const text = await sendRaw(gateway.gateway.port, head + body);
      expect(statuses(text)).toEqual([413]);
      expect(text).toContain('"errorCode":"PAYLOAD_TOO_LARGE"');
    }
  });
});
