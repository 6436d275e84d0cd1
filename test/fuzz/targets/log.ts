import assert from "node:assert/strict";
import fc from "fast-check";
import type { Session } from "../../../src/core/sessions/session.ts";
import {
  encodeProfile,
  encodeRow,
  isOfProfile,
  parseRecord,
  readProfile,
  readRecord,
} from "../../../src/server/cluster/record.ts";
import { parseEntry } from "../../../src/server/cluster/redis-entry.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { nearTo } from "../mutate.ts";
import { isFact, isProfileFact } from "../rules.ts";
import { FACTS, PROFILES, WORDS } from "../samples.ts";
import { parse } from "./protocol.ts";

/** An entry of the cluster's log about one session. */
export const fact: Target = {
  name: "fact",
  inputs: 100_000,
  make: nearTo(FACTS, WORDS),
  check(input): Outcome {
    const parsed = parseRecord(input);
    const read = parsed && readRecord(parsed, undefined);
    assert.equal(read !== undefined, isFact(parse(input)?.value));
    if (read === undefined) return "refused";
    if (read.kind === "end") return "taken";
    // Writing it again gives the same entry, and applying it again changes nothing.
    const { userId, kind, opened, epoch, lostAt, state } = read.session;
    const ownership = { opened, epoch, lostAt };
    const session = { user: { userId }, kind, ownership, ...state } as unknown as Session;
    const again = readRecord(parseRecord(encodeRow(parsed!.appId, session))!, session);
    assert(again?.kind === "row");
    assert.equal(JSON.stringify(again.session), JSON.stringify(read.session));
    assert.equal(again.session.state.custom, state.custom);
    return "taken";
  },
};

/** An entry of the cluster's log about one user. */
export const profile: Target = {
  name: "profile",
  inputs: 50_000,
  make: nearTo(PROFILES, WORDS),
  check(input): Outcome {
    const parsed = parseRecord(input);
    const read = parsed && isOfProfile(parsed) ? readProfile(parsed) : undefined;
    assert.equal(read !== undefined, isProfileFact(parse(input)?.value));
    if (read === undefined) return "refused";
    // Writing it again gives the same entry.
    const again = readProfile(parseRecord(encodeProfile(parsed!.appId, read.userId, read.profile, 9))!);
    assert.equal(JSON.stringify(again), JSON.stringify(read));
    return "taken";
  },
};

const text = fc.string({ maxLength: 8 });
const HEADERS = fc.sample(
  fc.record({
    kind: fc.constantFrom("batch", "join", "bury", "later"),
    header: fc.tuple(fc.nat(), fc.nat(), text).map((parts) => parts.join(" ")),
    facts: fc.array(text, { maxLength: 4 }),
  }),
  { numRuns: 300, seed: 1 },
);

/** An entry as Redis returns it: a list of fields. */
export const entry: Target = {
  name: "entry",
  inputs: 100_000,
  make: nearTo(
    HEADERS.map(({ kind, header, facts }) => [kind, header, ...facts]),
    ["batch", "join", "bury", "1 1 w", "2 w", "9007199254740993 1 w", "-1 1 w", ...WORDS],
  ),
  check(input): Outcome {
    const fields = parse(input)?.value;
    const read = parseEntry("1-0", fields);
    if (read.kind === "bad") return "refused";
    assert(Array.isArray(fields));
    assert(Number.isSafeInteger(read.count) && read.count >= 0);
    if (read.kind === "batch") {
      assert.match(read.writer, /^[\w-]{1,64}$/);
      assert(read.records.every((each) => typeof each === "string"));
    }
    return "taken";
  },
};
