import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { mintToken } from "../../src/server/auth/mint.ts";
import { TestClient } from "../support/client.ts";
import { jwksOf, ProviderKey } from "../support/identity-provider.ts";
import { GatewayProcess } from "../support/process.ts";

// The built gateway runs in its own process. `npm test` builds it first.

const SECRET = "a secret of the app, long enough to be one";
const key = new ProviderKey("ES256", "k1");

let server: Server;
let asked = 0;
let run: GatewayProcess | undefined;
/** What the provider does at once when it is asked. */
let answer: (response: ServerResponse) => void;

beforeEach(async () => {
  asked = 0;
  server = createServer((_request, response) => {
    asked++;
    answer(response);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(async () => {
  await run?.stop("SIGKILL");
  server.closeAllConnections();
  server.close();
});

async function start(): Promise<{ connect: (token: string) => Promise<TestClient>; url: string }> {
  const jwksUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`;
  const APPS = JSON.stringify([{ id: "app", secrets: [SECRET], jwksUrl }]);
  run = new GatewayProcess({ APPS, HOST: "127.0.0.1", DRAIN_MS: "0" });
  const port = await run.port();
  const connect = async (token: string) => {
    const client = await TestClient.open(`ws://127.0.0.1:${port}/v1/app/realtime`);
    client.send({ type: "connect", token });
    return client;
  };
  return { connect, url: `http://127.0.0.1:${port}` };
}

const token = (sub: string) => key.token({ payload: { iss: "app", sub } });
const statusOf = async (url: string) =>
  (await fetch(`${url}/v1/app/stats`, { headers: { authorization: `Bearer ${token("alice")}` } })).status;
const own = () => mintToken("app", SECRET, { tokenType: "user", sub: "bob" });

it("a gateway has the keys of a provider, and lets its users in", async () => {
  answer = (response) => response.end(jwksOf(key));
  const { connect, url } = await start();
  const alice = await connect(token("alice"));
  expect(await alice.next("connected")).toMatchObject({ userId: "alice" });
  await run!.printed(/"keys":1,"msg":"fetched the keys of an identity provider"/);
  expect([await statusOf(url), asked]).toEqual([401, 1]);
});

it.each<[string, (response: ServerResponse) => void, RegExp]>([
  ["answers with an error", (response) => response.writeHead(500).end(), /answered with status 500/],
  ["redirects", (response) => response.writeHead(302, { location: "/" }).end(), /answered with status 302/],
  ["answers with a page", (response) => response.end("<html></html>"), /the answer is no JWKS/],
  ["answers without end", (response) => response.end("x".repeat(1_000_000)), /more than 262144 bytes/],
  ["hangs up", (response) => response.destroy(), /cannot be fetched/],
  ["is silent", () => {}, /did not answer in time/],
])("a gateway starts, and clients come back later, where the provider %s", async (_what, act, logged) => {
  answer = act;
  const { connect, url } = await start();
  // Nobody else waits.
  await (await connect(await own())).next("connected");
  const alice = await connect(token("alice"));
  expect(await alice.next("error")).toMatchObject({ code: "UNAUTHENTICATED" });
  expect((await alice.closed).code).toBe(1013);
  expect(await statusOf(url)).toBe(503);
  await run!.printed(logged);
  expect(run!.output).not.toContain("/jwks");
});
