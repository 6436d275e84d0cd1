import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { JWKS_REST_MS, JwksSource } from "../../../src/server/auth/jwks-source.ts";
import { jwksOf, ProviderKey } from "../../support/identity-provider.ts";

const URL = "https://issuer.example/jwks.json";
const one = new ProviderKey("EdDSA", "one");
const two = new ProviderKey("EdDSA", "two");
const WALL_AT_ZERO = 1_780_000_000_000;

/** A source whose server and clock are in the hands of the test. */
class World {
  now = 0;
  fetches = 0;
  readonly told: string[] = [];
  answer: (text: string | Error) => Promise<void> = () => Promise.resolve();
  readonly source = new JwksSource(URL, {
    fetchText: () => {
      this.fetches++;
      return new Promise((resolve, reject) => {
        this.answer = (text) => {
          if (typeof text === "string") resolve(text);
          else reject(text);
          return nextTurn();
        };
      });
    },
    now: () => this.now,
    wallNow: () => WALL_AT_ZERO + this.now,
    events: {
      fetched: (_url, keys) => this.told.push(`${keys} keys`),
      failed: (_url, reason) => this.told.push(reason),
    },
  });

  get kids() {
    return this.source.keys.map(({ kid }) => kid);
  }
}

it("fetches at most once in 30 s after the last fetch has ended, failed ones included", async () => {
  const world = new World();
  const { source } = world;
  expect([source.request(), source.request()]).toEqual([true, true]);
  world.now = 4_000;
  await world.answer(jwksOf(one));
  expect(world.kids).toEqual(["one"]);
  world.now = 4_000 + JWKS_REST_MS - 1;
  expect([source.request(), source.restMs, world.fetches]).toEqual([false, 1, 1]);
  world.now++;
  expect([source.request(), world.fetches]).toEqual([true, 2]);
  await world.answer(new Error("status 500"));
  expect([source.request(), world.fetches]).toEqual([false, 2]);
  world.now += JWKS_REST_MS;
  expect([source.request(), world.fetches]).toEqual([true, 3]);
  expect(world.told).toEqual(["1 keys", "status 500"]);
});

it("keeps the last keys while they cannot be had, and takes the next ones", async () => {
  const world = new World();
  const next = async (text: string | Error) => {
    world.source.request();
    await world.answer(text);
    world.now += JWKS_REST_MS;
    return { kids: world.kids, isMissing: world.source.isMissing };
  };
  expect(world.source.isMissing).toBe(true);
  expect(await next(new Error("x"))).toEqual({ kids: [], isMissing: true });
  expect(await next(jwksOf(one))).toEqual({ kids: ["one"], isMissing: false });
  expect(await next(new Error("x"))).toEqual({ kids: ["one"], isMissing: true });
  expect(await next("<html></html>")).toEqual({ kids: ["one"], isMissing: true });
  expect(await next(jwksOf(one, two))).toEqual({ kids: ["one", "two"], isMissing: false });
  expect(await next(jwksOf())).toEqual({ kids: [], isMissing: false });
});

it("has the same list while the keys are the same, so that known tokens stay known", async () => {
  const world = new World();
  const next = async (text: string) => {
    world.source.request();
    await world.answer(text);
    world.now += JWKS_REST_MS;
    return world.source.keys;
  };
  const first = await next(jwksOf(one));
  expect(await next(jwksOf(one))).toBe(first);
  expect(await next(jwksOf(two))).not.toBe(first);
  const third = await next(jwksOf({ ...two.jwk, kid: "other" }));
  expect(third.map(({ kid }) => kid)).toEqual(["other"]);
});

it("tells everybody who waits, whether it succeeds or not, some in each turn", async () => {
  const world = new World();
  for (const text of [jwksOf(one), new Error("x")]) {
    world.source.request();
    const told: number[] = [];
    const stops = Array.from({ length: 100 }, (_, i) => world.source.onceFetched(() => told.push(i)));
    stops[7]!();
    expect([told.length, world.source.waiting]).toEqual([0, 99]);
    await world.answer(text);
    expect(told.length).toBeLessThan(99);
    while (told.length < 99) await nextTurn();
    expect(told).not.toContain(7);
    expect(world.source.waiting).toBe(0);
    world.now += JWKS_REST_MS;
  }
});

it("says whether a token of that time would have its key in the set", async () => {
  const world = new World();
  expect(world.source.isSettled(0)).toBe(false);
  world.source.request();
  world.now = 3_000;
  await world.answer(jwksOf(one));
  const { source } = world;
  expect(source.isSettled(undefined)).toBe(false);
  expect(source.isSettled(WALL_AT_ZERO - 60_000)).toBe(false);
  expect(source.isSettled(WALL_AT_ZERO - 60_001)).toBe(true);
  world.now += JWKS_REST_MS;
  source.request();
  await world.answer(new Error("x"));
  expect(source.isSettled(WALL_AT_ZERO - 60_001)).toBe(false);
});
