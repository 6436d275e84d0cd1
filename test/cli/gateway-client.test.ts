import { afterEach, beforeEach, expect, test } from "vitest";
import { CliError } from "../../src/cli/cli-error.ts";
import { connectTo, type GatewayClient, toCliError } from "../../src/cli/gateway-client.ts";
import { PresenceError } from "../../src/client/errors.ts";
import { FakeServer } from "../support/fake-server.ts";

let server: FakeServer;
let gateway: GatewayClient | undefined;

beforeEach(async () => {
  server = await FakeServer.start();
});
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  await server.stop();
});

function connect(): GatewayClient {
  gateway = connectTo({ url: server.url, appId: "shop", secret: undefined, token: "a.b.c" });
  return gateway;
}

test("queries over the SDK", async () => {
  server.push({}, { alice: { status: "online", widgets: [], backgroundSessions: [] } });
  const { client, problem } = connect();
  expect([...(await client.query({})).keys()]).toEqual(["alice"]);
  expect(problem()).toBeUndefined();
});

test.each([
  [403, "it refuses connections like this one (403)"],
  [404, "it does not know this app (404): check APP_ID and GATEWAY_URL"],
  [418, "it answers with 418"],
  [429, "too many connections from this address (429)"],
  [503, "it is starting, full or going down (503): /readyz says which"],
])("explains status %d", async (status, explanation) => {
  server.refusal = { status };
  const { client, unreachable, problem } = connect();
  client.query({}).catch(() => {});
  await expect(unreachable).rejects.toThrow(`no gateway lets us in at ${server.url}: ${explanation}`);
  expect(problem()).toBe(explanation);
});

test("an error of the gateway becomes one that the user can fix", () => {
  const error = toCliError(new PresenceError("FORBIDDEN", "no right to read this"));
  expect(error).toBeInstanceOf(CliError);
  expect(error).toMatchObject({ message: "no right to read this (FORBIDDEN)", exitCode: 2 });
  const refused = toCliError(new PresenceError("UNAUTHENTICATED", "no valid token"));
  expect(refused).toMatchObject({
    message: "no valid token (UNAUTHENTICATED): check APP_ID and APP_SECRET, or APP_TOKEN",
  });
  const other = new Error("something else");
  expect(toCliError(other)).toBe(other);
});
