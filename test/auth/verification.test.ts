import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { App } from "../../src/auth/app.ts";
import { mintToken } from "../../src/auth/mint.ts";
import { verifyToken } from "../../src/auth/token.ts";
import { Random } from "../support/random.ts";
import { welch } from "../support/welch.ts";

const VERIFICATIONS = Number(process.env.VERIFICATIONS ?? 10_000);
const TIMINGS = Number(process.env.TIMINGS ?? 10_000);
const seed = Number(process.env.MODEL_SEED ?? Date.now() % 2 ** 31);
const WALL_NOW = 1_780_000_000_000;
const AT_ONCE = 100;

interface Issued {
  readonly token: string;
  readonly app: App;
  /** Whose it is; undefined for one that must be refused. */
  readonly userId: string | undefined;
  readonly reads: string | undefined;
}

describe("verifications, many at once and in any order", () => {
  const issued: Issued[] = [];
  beforeAll(async () => {
    // Two apps share a secret: only the name of the app in the token tells them apart.
    const secrets = { a: ["one secret", "another secret"], b: ["another secret"], c: ["a third secret"] };
    for (const [appId, ofApp] of Object.entries(secrets)) {
      const app = await App.create({ id: appId, secrets: ofApp });
      for (let i = 0; i < 60; i++) {
        const sub = `user-${i}`;
        const read = { conversationIds: [`${appId}-${sub}`] };
        const token = await mintToken(appId, ofApp[i % ofApp.length]!, { tokenType: "user", sub, read });
        issued.push({ token, app, userId: sub, reads: `${appId}-${sub}` });
        const foreign = await App.create({ id: appId === "a" ? "b" : "a", secrets: ["another secret"] });
        issued.push({ token, app: foreign, userId: undefined, reads: undefined });
        // The head of one, the tail of another.
        const other = await mintToken(appId, ofApp[0]!, { tokenType: "user", sub: `${sub}x` });
        const [head, payload] = token.split(".");
        const mixed = `${head}.${payload}.${other.split(".")[2]}`;
        issued.push({ token: mixed, app, userId: undefined, reads: undefined });
        const expired = await mintToken(appId, ofApp[0]!, { tokenType: "user", sub }, WALL_NOW / 1000 - 6);
        issued.push({ token: expired, app, userId: undefined, reads: undefined });
      }
    }
  });

  it(`never tell of another user (${VERIFICATIONS}, MODEL_SEED=${seed})`, async () => {
    const random = new Random(seed);
    const started = performance.now();
    let done = 0;
    let wrong = 0;
    const work = async () => {
      while (done < VERIFICATIONS) {
        done++;
        const { token, app, userId, reads } = random.pick(issued);
        const verified = await verifyToken(app, token, WALL_NOW);
        const { principal } = verified.ok ? verified : { principal: undefined };
        const isRight =
          userId === undefined
            ? !verified.ok
            : principal?.kind === "user" &&
              principal.userId === userId &&
              principal.grant.kind === "some" &&
              [...principal.grant.conversationIds].join() === reads;
        if (!isRight) wrong++;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    expect(wrong).toBe(0);
    const perSecond = Math.round((1_000 * done) / (performance.now() - started));
    process.stdout.write(`${done} mixed verifications, ${perSecond}/s, ${wrong} wrong\n`);
  }, 600_000);
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
    const app = await App.create({ id: "app", secrets: [SECRET, "t".repeat(43)] });
    const random = new Random(seed);
    const times: [number[], number[]] = [[], []];
    const texts = [one, other];
    for (let i = 0; i < 2 * TIMINGS; i++) {
      const which = random.below(2);
      const text = texts[which]!;
      const before = process.hrtime.bigint();
      const isRight = app.isSecret(text);
      times[which]!.push(Number(process.hrtime.bigint() - before));
      if (isRight) throw new Error("a wrong secret was taken");
    }
    // What is beside us on the machine decides about figures: they are for people to read.
    const t = welch(times[0].slice(500), times[1].slice(500));
    lines.push(`secrets ${what}: Welch's t ${t.toFixed(2)} of ${2 * TIMINGS} (below 4.5: no difference)\n`);
    expect(Number.isFinite(t)).toBe(true);
  });
});
