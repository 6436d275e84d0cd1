import { expect, it } from "vitest";
import { CustomIndex } from "../../../src/core/sessions/custom-index.ts";
import type { Custom, Session } from "../../../src/core/sessions/session.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";

const KEYS = ["team", "__proto__"];
const VALUES = ["", "billing", "constructor"];

it(`finds the sessions with a value, whatever is added, moved and removed (MODEL_SEED=${SEED})`, () => {
  const random = new Random(SEED);
  const index = new CustomIndex(KEYS);
  const sessions = new Set<{ custom: Custom }>();
  const someCustom = (): Custom => {
    const custom: Record<string, string> = Object.create(null);
    for (const key of [...KEYS, "other"]) if (random.oneIn(2)) custom[key] = random.pick(VALUES);
    return custom;
  };
  for (let step = 0; step < 5_000; step++) {
    const known = sessions.size > 0 ? random.pick([...sessions]) : undefined;
    if (known === undefined || random.oneIn(3)) {
      const session = { custom: someCustom() };
      sessions.add(session);
      index.add(session as Session);
    } else if (random.oneIn(2)) {
      const to = someCustom();
      index.move(known as Session, to);
      known.custom = to;
    } else {
      sessions.delete(known);
      index.remove(known as Session);
    }
    const pairs = new Set<string>();
    for (const key of KEYS) {
      for (const value of VALUES) {
        const expected = [...sessions].filter(({ custom }) => custom[key] === value);
        if (expected.length > 0) pairs.add(JSON.stringify([key, value]));
        expect(new Set(index.sessions(key, value))).toEqual(new Set(expected));
      }
    }
    expect(index.size).toBe(pairs.size);
  }
  for (const session of sessions) index.remove(session as Session);
  expect(index.size).toBe(0);
  expect(["team", "__proto__", "other", "constructor"].map((key) => index.has(key))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(index.sessions("other", "billing").size).toBe(0);
});
