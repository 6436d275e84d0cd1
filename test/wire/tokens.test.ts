import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { appToken, encode, forge, USER_CLAIMS, userToken } from "../support/forge.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";
import {
  ACCEPTED,
  ACCEPTED_USERS,
  ATTACKER_JWKS,
  FORGED,
  inSeconds,
  keyServer,
  NEXT_SECRET,
  OTHER_SECRET,
  WALL_NOW,
} from "./token-cases.ts";

const STRICT = "strict-app";
const STRICT_SECRET = "a secret of an app whose tokens must all expire some day";

let server: Server;
let keysFetched = 0;

/** Whether a header can carry the text as it is: HTTP itself takes off white space at both ends. */
function fitsHeader(text: string): boolean {
  return text === "" || /^[!-~](?:[ -~\t]*[!-~])?$/.test(text);
}

beforeAll(async () => {
  server = createServer((_request, response) => {
    keysFetched++;
    response.end(JSON.stringify(ATTACKER_JWKS));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  keyServer.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe.each(TRANSPORTS)("tokens over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      clock: { now: () => performance.now(), wallNow: () => WALL_NOW },
      app: { secrets: [SECRET, NEXT_SECRET] },
      apps: [
        { id: "other-app", secrets: [OTHER_SECRET] },
        { id: STRICT, secrets: [STRICT_SECRET], requireExp: true },
      ],
    });
  });
  afterAll(() => gateway.stop());

  /** What HTTP says to these credentials. */
  function ask(credentials: string, appId = APP) {
    return gateway.http("POST", `/v1/${appId}/presences`, {}, { authorization: `Bearer ${credentials}` });
  }

  async function expectRefusedByHttp(credentials: string, appId = APP): Promise<string> {
    const { status, headers, json } = await ask(credentials, appId);
    expect(status).toBe(401);
    expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    expect(headers.get("content-type")).toMatch(/^application\/json/);
    expect(json).toEqual({ errorCode: "UNAUTHORIZED", reasons: { authorization: [expect.any(String)] } });
    return json.reasons.authorization[0];
  }

  async function expectRefusedByWebSocket(token: string, appId = APP): Promise<void> {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", id: 7, token });
    expect(await client.take(() => true)).toMatchObject({ type: "error", id: 7, code: "UNAUTHENTICATED" });
    expect((await client.closed).code).toBe(4401);
    expect(client.inbox).toEqual([]);
  }

  async function connect(token: string, appId = APP) {
    const client = await gateway.socket({ appId });
    client.send({ type: "connect", id: 7, token });
    const answer = await client.take(() => true);
    client.terminate();
    return answer;
  }

  describe("refuses", () => {
    it.each(FORGED.filter(([, make]) => fitsHeader(make())))("over HTTP: %s", async (_name, make) => {
      // Not because it is a user's: that would be refused however good it is.
      expect(await expectRefusedByHttp(make())).not.toMatch(/user token/);
    });

    it.each(FORGED)("over WebSocket: %s", async (_name, make) => {
      await expectRefusedByWebSocket(make());
    });

    it("at a refresh as at a connect", async () => {
      for (const make of [
        () => appToken({ exp: inSeconds(-6) }),
        () => forge({ key: "attacker" }),
        () => "",
      ]) {
        const client = await gateway.connect();
        client.send({ type: "refresh", id: 8, token: make() });
        expect(await client.take(() => true)).toMatchObject({
          type: "error",
          id: 8,
          code: "UNAUTHENTICATED",
        });
        expect((await client.closed).code).toBe(4401);
      }
    });

    it("a good token of one app at another", async () => {
      await expectRefusedByHttp(forge(), "other-app");
      await expectRefusedByWebSocket(forge(), "other-app");
      const claims = { iss: "other-app", tokenType: "app" };
      expect((await ask(forge({ payload: claims, key: OTHER_SECRET }), "other-app")).status).toBe(200);
    });

    it("a token without exp where the app requires one", async () => {
      const claims = { iss: STRICT, tokenType: "app" };
      const endless = forge({ payload: claims, key: STRICT_SECRET });
      await expectRefusedByHttp(endless, STRICT);
      await expectRefusedByWebSocket(endless, STRICT);
      const finite = forge({ payload: { ...claims, exp: inSeconds(60) }, key: STRICT_SECRET });
      expect((await ask(finite, STRICT)).status).toBe(200);
      expect(await connect(finite, STRICT)).toMatchObject({ type: "connected" });
    });

    it("a user token over HTTP", async () => {
      expect(await expectRefusedByHttp(userToken({ read: "all" }))).toMatch(/user token/);
    });

    it("a bare secret over WebSocket", async () => {
      await expectRefusedByWebSocket(SECRET);
      await expectRefusedByWebSocket(encode(SECRET));
    });

    it.each([
      ["another app's secret", OTHER_SECRET],
      ["a secret and a letter", `${SECRET}x`],
      ["a secret but for a letter", SECRET.slice(0, -1)],
      ["a secret in capitals", SECRET.toUpperCase()],
      ["two secrets", `${SECRET},${NEXT_SECRET}`],
      ["a secret in quotes", `"${SECRET}"`],
      ["a secret in Base64", Buffer.from(SECRET).toString("base64")],
    ])("over HTTP: %s", async (_name, credentials) => {
      await expectRefusedByHttp(credentials);
    });

    it.each([
      ["no scheme", SECRET],
      ["the scheme alone", "Bearer"],
      ["another scheme", `Basic ${Buffer.from(`${APP}:${SECRET}`).toString("base64")}`],
      ["a scheme that only starts alike", `BearerX ${SECRET}`],
      ["two schemes", `Bearer Bearer ${SECRET}`],
      ["nothing", ""],
    ])("an Authorization header with %s", async (_name, authorization) => {
      const { status, headers } = await gateway.http("POST", `/v1/${APP}/presences`, {}, { authorization });
      expect(status).toBe(401);
      expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
    });

    it("a request without an Authorization header, whatever its query says", async () => {
      for (const query of ["", `?token=${forge()}`, `?access_token=${forge()}`]) {
        const response = await fetch(`${gateway.url}/v1/${APP}/presences${query}`, { method: "POST" });
        expect(response.status).toBe(401);
      }
    });

    it("a token that is too long, however good", async () => {
      const token = appToken({ padding: "x".repeat(6_300) });
      expect(token.length).toBeGreaterThan(8_192);
      await expectRefusedByHttp(token);
      const client = await gateway.socket();
      client.send({ type: "connect", token });
      expect((await client.closed).code).toBe(1009);
      expect(client.inbox).toEqual([]);
    });

    it("without asking anybody for keys", () => {
      expect(keysFetched).toBe(0);
    });

    it("without a word of the token in the log", () => {
      const token = forge({ key: "attacker" });
      const [header = "", payload = ""] = token.split(".");
      const log = gateway.log.join("");
      expect(log).toContain("unauthenticated");
      for (const secret of [SECRET, NEXT_SECRET, OTHER_SECRET, header, payload])
        expect(log).not.toContain(secret);
    });
  });

  describe("accepts", () => {
    it.each(ACCEPTED)("over both doors: %s", async (_name, make) => {
      expect(await ask(make())).toMatchObject({ status: 200, json: { data: {} } });
      expect(await connect(make())).toMatchObject({ type: "connected", id: 7, userId: null });
    });

    it.each(ACCEPTED_USERS)("a user over WebSocket: %s", async (_name, claims) => {
      const userId = claims.sub ?? USER_CLAIMS.sub;
      expect(await connect(userToken(claims))).toMatchObject({ type: "connected", userId });
    });

    it("each of the bare secrets over HTTP, whatever the case of the scheme", async () => {
      expect((await ask(SECRET)).status).toBe(200);
      expect((await ask(NEXT_SECRET)).status).toBe(200);
      for (const scheme of ["bearer", "BEARER"]) {
        const headers = { authorization: `${scheme} ${SECRET}` };
        expect((await gateway.http("GET", `/v1/${APP}/stats`, undefined, headers)).status).toBe(200);
      }
    });
  });
});
