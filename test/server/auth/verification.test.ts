import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { App } from "../../../src/server/auth/app.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { verifyToken } from "../../../src/server/auth/token.ts";
import { authorize } from "../../../src/server/http/authorize.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";
import { welch } from "../../support/welch.ts";

const VERIFICATIONS = Number(process.env.VERIFICATIONS ?? 10_000);
const TIMINGS = Number(process.env.TIMINGS ?? 10_000);
const WALL_NOW = 1_780_000_000_000;

interface Issued {
  readonly token: string;
  readonly app: App;
  /** Whose it is, null for the app itself; undefined for one that must be refused. */
  readonly userId: string | null | undefined;
  readonly reads?: string;
}

describe("verifications in any order", () => {
  const issued: Issued[] = [];
  beforeAll(async () => {
    // Two apps share a secret: only the name of the app in the token tells them apart.
    const secrets = { a: ["one secret", "another secret"], b: ["another secret"], c: ["a third secret"] };
    for (const [appId, ofApp] of Object.entries(secrets)) {
      const app = new App({ id: appId, secrets: ofApp });
      const foreign = new App({ id: appId === "a" ? "b" : "a", secrets: ["another secret"] });
      for (let i = 0; i < 60; i++) {
        const sub = `user-${i}`;
        const read = { conversationIds: [`${appId}-${sub}`] };
        const secret = ofApp[i % ofApp.length]!;
        const token = await mintToken(appId, secret, { tokenType: "user", sub, read });
        issued.push({ token, app, userId: sub, reads: `${appId}-${sub}` });
        issued.push({ token, app: foreign, userId: undefined });
        const ofItself = await mintToken(appId, secret, { tokenType: "app" }, WALL_NOW / 1000 + i);
        issued.push({ token: ofItself, app, userId: null });
        issued.push({ token: ofItself, app: foreign, userId: undefined });
        // The head of one, the tail of another.
        const other = await mintToken(appId, ofApp[0]!, { tokenType: "user", sub: `${sub}x` });
        for (const [head, payload] of [token.split("."), ofItself.split(".")]) {
          issued.push({ token: `${head}.${payload}.${other.split(".")[2]}`, app, userId: undefined });
        }
        const expired = await mintToken(appId, ofApp[0]!, { tokenType: "user", sub }, WALL_NOW / 1000 - 6);
        issued.push({ token: expired, app, userId: undefined });
      }
    }
  });

  it(`never tell of another user or app (${VERIFICATIONS}, MODEL_SEED=${SEED})`, () => {
    const random = new Random(SEED);
    const started = performance.now();
    let wrong = 0;
    for (let done = 0; done < VERIFICATIONS; done++) {
      const { token, app, userId, reads } = random.pick(issued);
      const verified = verifyToken(app, token, WALL_NOW);
      const { principal } = verified.ok ? verified : { principal: undefined };
      const isRight =
        principal?.kind !== "user"
          ? userId === (principal === undefined ? undefined : null)
          : principal.userId === userId &&
            principal.grant.kind === "some" &&
            [...principal.grant.conversationIds].join() === reads;
      // HTTP knows the app's tokens again that it has seen, and no others.
      const overHttp = authorize(app, `Bearer ${token}`, WALL_NOW);
      if (!isRight || overHttp.ok !== (userId === null)) wrong++;
    }
    expect(wrong).toBe(0);
    const perSecond = Math.round((1_000 * VERIFICATIONS) / (performance.now() - started));
    process.stdout.write(`${VERIFICATIONS} mixed verifications, ${perSecond}/s, ${wrong} wrong\n`);
  }, 600_000);
});

describe("a token that is known", () => {
  const app = new App({ id: "app", secrets: ["secret"] });

  it("is refused once it has expired", async () => {
    const exp = WALL_NOW / 1000 + 60;
    const authorization = `Bearer ${await mintToken("app", "secret", { tokenType: "app" }, exp)}`;
    const ask = (seconds: number) => authorize(app, authorization, WALL_NOW + 1_000 * seconds);
    for (const seconds of [0, 0, 64]) expect(ask(seconds)).toMatchObject({ ok: true, principal: { exp } });
    for (const seconds of [65, 1_000]) {
      expect(ask(seconds)).toEqual({ ok: false, reason: "the token has expired" });
    }
  });
});

describe("the time that a wrong secret takes", () => {
  const SECRET = "s".repeat(43);
  const pairs: [what: string, one: string, other: string][] = [
    ["wrong in its first or last character", `x${SECRET.slice(1)}`, `${SECRET.slice(0, -1)}x`],
    ["all wrong, or all but one right", "x".repeat(43), `${SECRET.slice(0, -1)}x`],
  ];
  const lines: string[] = [];
  afterAll(() => void process.stdout.write(lines.join("")));

  it.each(pairs)("%s", async (what, one, other) => {
    const app = new App({ id: "app", secrets: [SECRET, "t".repeat(43)] });
    const random = new Random(SEED);
    const times: [number[], number[]] = [[], []];
    const texts = [one, other];
    for (let i = 0; i < 2 * TIMINGS; i++) {
      const which = random.below(2);
      const text = texts[which]!;
      const before = process.hrtime.bigint();
      const isRight = app.findSecret(text) !== undefined;
      times[which]!.push(Number(process.hrtime.bigint() - before));
      if (isRight) throw new Error("a wrong secret was taken");
    }
    // What is beside us on the machine decides about figures: they are for people to read.
    const t = welch(times[0].slice(500), times[1].slice(500));
    lines.push(`secrets ${what}: Welch's t ${t.toFixed(2)} of ${2 * TIMINGS} (below 4.5: no difference)\n`);
    expect(Number.isFinite(t)).toBe(true);
  });
});
