import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { App, type AppConfig } from "../../../src/server/auth/app.ts";
import { JwksSource } from "../../../src/server/auth/jwks-source.ts";
import { verifyToken } from "../../../src/server/auth/token.ts";
import { parseApps } from "../../../src/server/settings/parse-apps.ts";
import { jwksOf, ProviderKey } from "../../support/identity-provider.ts";
import { PROJECT } from "../../support/process.ts";

// The recipes of docs/authentication.md, with tokens in the shapes of those providers, made here.

const WALL_NOW = 1_780_000_000_000;
const NOW_S = WALL_NOW / 1_000;
const DOCUMENT = readFileSync(join(PROJECT, "docs/authentication.md"), "utf8");

/** The configuration below a heading. */
function recipe(heading: string): AppConfig {
  const section = DOCUMENT.split(`### ${heading}\n`)[1]!;
  const json = /```json\n([^`]+)```/.exec(section)![1]!;
  return parseApps([JSON.parse(json)], "APPS")[0]!;
}

interface Shape {
  readonly key: ProviderKey;
  /** Other entries of the provider's JWKS. */
  readonly others?: readonly Record<string, unknown>[];
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly userId: string;
}

const auth0 = new ProviderKey("RS256", "Q2xvdWQtMQ");
const keycloak = new ProviderKey("RS256", "r7GJ0kyyGOWfnRK2GYNZ");
const supabase = new ProviderKey("ES256", "1a2b3c4d-5e6f-7081-92a3-b4c5d6e7f809");
const clerk = new ProviderKey("RS256", "ins_2abcDEF");

const SHAPES: Record<string, Shape> = {
  Auth0: {
    key: auth0,
    others: [{ ...auth0.jwk, kid: "next", x5c: ["MIID"], x5t: "abc" }],
    header: { alg: "RS256", typ: "JWT", kid: auth0.kid },
    payload: {
      iss: "https://example.eu.auth0.com/",
      sub: "auth0|64a1c0ffee",
      aud: ["https://presence.example.com", "https://example.eu.auth0.com/userinfo"],
      iat: NOW_S,
      exp: NOW_S + 86_400,
      scope: "openid profile email",
      azp: "client",
      permissions: [],
      read: { conversationIds: ["c1"] },
    },
    userId: "auth0|64a1c0ffee",
  },
  Keycloak: {
    key: keycloak,
    others: [{ ...keycloak.jwk, kid: "enc", use: "enc", alg: "RSA-OAEP" }],
    header: { alg: "RS256", typ: "JWT", kid: keycloak.kid },
    payload: {
      exp: NOW_S + 300,
      iat: NOW_S,
      auth_time: NOW_S,
      jti: "0b1c",
      iss: "https://id.example.com/realms/main",
      aud: ["presence", "account"],
      sub: "f:9a7c:alice",
      typ: "Bearer",
      azp: "web",
      session_state: "s",
      acr: "1",
      realm_access: { roles: ["offline_access"] },
      resource_access: { account: { roles: ["view-profile"] } },
      scope: "openid",
      sid: "s",
      email_verified: true,
      preferred_username: "alice",
    },
    userId: "alice",
  },
  Supabase: {
    key: supabase,
    others: [{ ...supabase.jwk, kid: "standby", key_ops: ["verify"], ext: true }],
    header: { alg: "ES256", kid: supabase.kid, typ: "JWT" },
    payload: {
      iss: "https://example.supabase.co/auth/v1",
      sub: "5f0c6a1e-9f6e-4d6a-8a52-0f6a1c2d3e4f",
      aud: "authenticated",
      exp: NOW_S + 3_600,
      iat: NOW_S,
      email: "alice@example.com",
      phone: "",
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: {},
      role: "authenticated",
      aal: "aal1",
      amr: [{ method: "password", timestamp: NOW_S }],
      session_id: "s",
      is_anonymous: false,
    },
    userId: "5f0c6a1e-9f6e-4d6a-8a52-0f6a1c2d3e4f",
  },
  Clerk: {
    key: clerk,
    header: { alg: "RS256", cat: "cl_B7d4PD111AAA", kid: clerk.kid, typ: "JWT" },
    payload: {
      azp: "https://app.example.com",
      exp: NOW_S + 60,
      fva: [0, -1],
      iat: NOW_S,
      iss: "https://clerk.example.com",
      nbf: NOW_S - 10,
      sid: "sess_1",
      sts: "active",
      sub: "user_2abc",
      v: 2,
    },
    userId: "user_2abc",
  },
};

async function appOf(config: AppConfig, jwks: string): Promise<App> {
  const source = new JwksSource(config.jwksUrl!, {
    fetchText: async () => jwks,
    now: () => 0,
    wallNow: () => WALL_NOW,
    events: { fetched: () => {}, failed: () => {} },
  });
  source.request();
  await nextTurn();
  return new App(config, source);
}

describe.each(Object.entries(SHAPES))(
  "the recipe for %s",
  (heading, { key, others = [], header, payload, userId }) => {
    const verify = async (more: object, from = key) => {
      const app = await appOf(recipe(heading), jwksOf(...others, key));
      return verifyToken(app, from.token({ header, payload: { ...payload, ...more } }), WALL_NOW);
    };

    it("lets the provider's users in", async () => {
      const verified = await verify({});
      expect(verified).toMatchObject({ ok: true, principal: { kind: "user", userId, exp: payload.exp } });
    });

    it("lets nobody in whom the provider has not, or has let in elsewhere", async () => {
      const refused = [
        { iss: "https://evil.example/" },
        { exp: NOW_S - 60 },
        { tokenType: "app" },
        { sub: undefined, preferred_username: undefined },
        ...(recipe(heading).audience === undefined ? [] : [{ aud: "another-service" }, { aud: undefined }]),
        ...(recipe(heading).requireExp ? [{ exp: undefined }] : []),
      ];
      for (const more of refused)
        expect(await verify(more), JSON.stringify(more)).toMatchObject({ ok: false });
      expect(await verify({}, new ProviderKey(key.algorithm, key.kid))).toMatchObject({ ok: false });
    });
  },
);

it("the recipe with a key of one's own is a valid configuration", () => {
  expect(new App(recipe("One key, without a JWKS")).publicKeys?.hasKid("2026-11")).toBe(true);
});
