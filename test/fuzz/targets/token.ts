import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { errors, jwtVerify } from "jose";
import { App } from "../../../src/server/auth/app.ts";
import { verifyToken } from "../../../src/server/auth/token.ts";
import type { Random } from "../../support/random.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { mutateText, nearTo } from "../mutate.ts";
import { isId, isObject } from "../rules.ts";
import { CLAIMS, WORDS } from "../samples.ts";
import { parse } from "./protocol.ts";
import { APP_ID, SECRET, WALL_NOW } from "./world.ts";

const HEADERS = [{ alg: "HS256" }, { alg: "HS256", typ: "JWT" }, { alg: "HS256", typ: "JWT", kid: "1" }];
const HEADER_WORDS = [
  "alg",
  "typ",
  "kid",
  "crit",
  "b64",
  "jwk",
  "jku",
  "x5u",
  "zip",
  "none",
  "HS256",
  "HS512",
  "RS256",
];

const nearHeader = nearTo(HEADERS, HEADER_WORDS, 10);
const nearClaims = nearTo(CLAIMS, WORDS, 10);
const app = new App({ id: APP_ID, secrets: ["the secret that it moves away from", SECRET] });

function make(random: Random): string {
  const header = random.oneIn(3) ? nearHeader(random) : JSON.stringify(HEADERS[0]);
  const parts = [header, nearClaims(random)].map((text) => Buffer.from(text).toString("base64url")).join(".");
  const token = `${parts}.${createHmac("sha256", SECRET).update(parts).digest("base64url")}`;
  return random.oneIn(8) ? mutateText(random, token) : token;
}

/** Libraries also accept white space, padding, and tokens of any length. */
const FORMS = [
  "the id of the app",
  '"user" or "app"',
  "the id of the user",
  '"all", or {"userIds": […], "conversationIds": […]}',
];
const COMPACT = /^[\w.-]{1,8192}$/;

/**
 * The verdict of a library for all of RFC 7519. It accepts some tokens that we refuse for their claims, and
 * no others.
 */
async function isJwt(text: string): Promise<boolean> {
  try {
    await jwtVerify(text, new TextEncoder().encode(SECRET), {
      algorithms: ["HS256"],
      issuer: APP_ID,
      clockTolerance: 5,
      currentDate: new Date(WALL_NOW),
    });
    return true;
  } catch (error) {
    assert(error instanceof errors.JOSEError, error as Error);
    return false;
  }
}

/** The app signs its tokens, so a result must contain exactly what the token states. */
export const token: Target = {
  name: "token",
  inputs: 10_000,
  make,
  async check(input): Promise<Outcome> {
    const verified = verifyToken(app, input, WALL_NOW);
    const isTaken = await isJwt(input);
    if (!verified.ok) {
      if (isTaken && COMPACT.test(input))
        assert.match(verified.reason, /crit|b64|claim|iss|exp|aud|key twice/);
      // Nothing of the input is in it: beside plain words, only what some claims must be.
      const [problem, ...forms] = verified.reason.split(": it must be ");
      assert.match(problem!, /^(?:the token|this is not a token)[\w' .():,]+$/);
      assert.ok(forms.length === 0 || (forms.length === 1 && FORMS.includes(forms[0]!)), verified.reason);
      assert(verified.reason.length < 100, verified.reason);
      return "refused";
    }
    assert(isTaken, "a library would refuse it");
    const [header = "", payload = "", signature = "", ...more] = input.split(".");
    assert.equal(more.length, 0);
    const input2 = `${header}.${payload}`;
    const expected = createHmac("sha256", SECRET).update(input2).digest();
    // The last character has bits without a meaning.
    assert(Buffer.from(signature, "base64url").equals(expected), "a signature that is none of ours");
    const said = parse(Buffer.from(header, "base64url").toString())?.value;
    assert(isObject(said) && said.alg === "HS256" && !("crit" in said) && !("b64" in said));
    const claims = parse(Buffer.from(payload, "base64url").toString())?.value;
    assert(isObject(claims) && claims.iss === APP_ID);
    const { principal } = verified;
    assert.equal(principal.kind, claims.tokenType);
    assert.equal(principal.exp, claims.exp);
    assert(
      principal.exp === undefined ||
        (Number.isFinite(principal.exp) && principal.exp * 1_000 > WALL_NOW - 5_000),
    );
    if (principal.kind === "app") return "taken";
    assert(isId(principal.userId));
    assert.equal(principal.userId, claims.sub);
    const { grant } = principal;
    assert.equal(grant.kind === "all", claims.read === "all");
    if (grant.kind === "some") {
      const { userIds = [], conversationIds = [] } = (claims.read ?? {}) as Record<string, string[]>;
      assert.deepEqual([...grant.userIds], [...new Set(userIds)]);
      assert.deepEqual([...grant.conversationIds], [...new Set(conversationIds)]);
    }
    return "taken";
  },
};
