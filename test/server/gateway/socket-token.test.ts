import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { JwksSource } from "../../../src/server/auth/jwks-source.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import type { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { KEY_WAIT_MS } from "../../../src/server/gateway/held-messages.ts";
import { type Attempt, SocketToken } from "../../../src/server/gateway/socket-token.ts";
import { APP_ID, SECRET, WALL_NOW, World } from "../../fuzz/targets/world.ts";
import { jwksOf, ProviderKey } from "../../support/identity-provider.ts";

const NOW_S = WALL_NOW / 1_000;
const ALICE = { tokenType: "user", sub: "alice" } as const;
const key = new ProviderKey("EdDSA", "one");
const foreign = key.token({ payload: { iss: APP_ID, sub: "alice", iat: NOW_S } });
const own = await mintToken(APP_ID, SECRET, ALICE, NOW_S + 100);
const lasting = await mintToken(APP_ID, SECRET, ALICE);

let presence: AppPresence;
let jwks: JwksSource;
/** Ends the fetch of the keys with this set. */
let answer: (text: string) => Promise<void>;
let checks: number;
let fetched: number;
let token: SocketToken;

beforeEach(() => {
  presence = new World().presence;
  jwks = new JwksSource("https://issuer.example/jwks.json", {
    fetchText: () =>
      new Promise((resolve) => {
        answer = (text) => {
          resolve(text);
          return nextTurn();
        };
      }),
    now: () => 0,
    wallNow: () => WALL_NOW,
    events: { fetched: () => {}, failed: () => {} },
  });
  checks = 0;
  fetched = 0;
  const checkBudget = () => ({ takeChecks: () => ++checks > 0, returnChecks: () => {} });
  token = new SocketToken(presence, { checkBudget }, { onKeysFetched: () => void fetched++ });
});

function verify(text: string, attempt: Attempt = "first") {
  return token.verify({ type: "connect", token: text }, 10, attempt, 0, WALL_NOW);
}

/** The app takes tokens of the identity provider too. */
function trustProvider(): void {
  presence.reconfigure(new App({ id: APP_ID, secrets: [SECRET] }, jwks));
}

function accept(text: string): void {
  const verified = verify(text);
  if (!verified?.ok) expect.fail("the token is not valid");
  token.accept(verified, WALL_NOW);
}

describe("a token that is signed with a secret", () => {
  it("is verified at once, and speaks for its user once it is accepted", () => {
    expect(token.principal).toBeUndefined();
    accept(own);
    expect(token.principal).toMatchObject({ kind: "user", userId: "alice" });
    expect(token.expiry?.leftMs(WALL_NOW)).toBe(100_000);
    expect(checks).toBe(0);
  });

  it("is followed by one that does not expire", () => {
    accept(own);
    accept(lasting);
    expect(token.expiry).toBeUndefined();
  });

  it("is trusted until the app has another secret", () => {
    expect(token.isTrusted).toBe(true);
    accept(lasting);
    expect(token.isTrusted).toBe(true);
    presence.reconfigure(new App({ id: APP_ID, secrets: ["another secret of the test app, long enough"] }));
    expect(token.isTrusted).toBe(false);
  });

  it("is trusted until the app is served no longer", () => {
    accept(lasting);
    presence.retire(0);
    expect(token.isTrusted).toBe(false);
  });

  it("is refused with the reason if it is not valid", () => {
    expect(verify("a.b.c")).toMatchObject({ ok: false, reason: expect.any(String) });
    expect(token.held).toBeUndefined();
  });
});

describe("a token whose keys are not known yet", () => {
  beforeEach(trustProvider);

  it("waits for them, with what is sent meanwhile, and is verified again", async () => {
    expect(verify(foreign)).toBeUndefined();
    expect(token.held).toMatchObject({ byteLength: 10, until: KEY_WAIT_MS, texts: [] });
    token.held!.add("text", 4, 1_000);
    await answer(jwksOf(key));
    expect(fetched).toBe(1);
    expect(token.takeHeld()?.texts).toEqual([{ text: "text", byteLength: 4 }]);
    expect(token.held).toBeUndefined();
    expect(verify(foreign, "fetched")).toMatchObject({ ok: true, principal: { userId: "alice" } });
    expect(checks).toBe(1);
  });

  it.each(["fetched", "late"] as const)("does not wait twice: %s", (attempt) => {
    expect(verify(foreign)).toBeUndefined();
    token.takeHeld();
    expect(verify(foreign, attempt)).toMatchObject({ ok: false, isTemporary: true });
    expect(token.held).toBeUndefined();
  });

  it("is forgotten with its socket", async () => {
    verify(foreign);
    expect(jwks.waiting).toBe(1);
    token.takeHeld();
    expect(jwks.waiting).toBe(0);
    await answer(jwksOf(key));
    expect(fetched).toBe(0);
    expect(token.takeHeld()).toBeUndefined();
  });
});
