import { expect, it } from "vitest";
import { TextIds } from "../../../src/core/sessions/id-list.ts";
import { NO_PROFILE } from "../../../src/core/sessions/profile.ts";
import { NEW_SESSION, patchState, type User } from "../../../src/core/sessions/session.ts";
import { patchStatus, statusOfBit } from "../../../src/core/sessions/status.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { ABSENT, checkUsers, PRESENT } from "../../../src/server/gateway/check-users.ts";
import { asciiIds } from "../../support/ascii-ids.ts";
import { Random } from "../../support/random.ts";
import { SEED } from "../../support/seed.ts";

/** Users who are online in every way, and some who are not. */
function tableOf(users: number): Table {
  const table = new Table(["team"]);
  const availabilities = ["available", "away", "dnd", "invisible"] as const;
  for (let i = 0; i < users; i++) {
    if (i % 5 === 4) continue;
    const userId = `u${i}`;
    const status = patchStatus(NO_PROFILE.status, { availability: availabilities[i % 4]! }, 0);
    table.setProfile(userId, { ...NO_PROFILE, status });
    const state = patchState(NEW_SESSION, {
      hasFocus: i % 2 === 0,
      visible: i % 3 !== 0,
      isIdle: i % 7 === 0,
      selectedConversationId: i % 4 === 0 ? null : `c${i % 50}`,
      custom: i % 6 === 0 ? { team: "a" } : {},
    });
    table.open(`s${i}`, userId, i % 11 === 0 ? "background" : "widget", state, undefined);
  }
  return table;
}

const filterOf = (fields: object, showsInvisible = false) =>
  new CompiledFilter(FilterSchema.parse(fields), { showsInvisible });

/** What a check says, in lists. It says the same of the same ids as strings and as bytes. */
function check(table: Table, filter: CompiledFilter, userIds: readonly string[]) {
  const { size, places, verdicts } = checkUsers(table, filter, new TextIds(userIds));
  const ids = Array.from(places.subarray(0, size), (place) => userIds[place]!);
  const inBytes = checkUsers(table, filter, asciiIds(userIds));
  expect([inBytes.size, inBytes.places, inBytes.verdicts]).toEqual([size, places, verdicts]);
  const withStatus = [...ids.entries()].filter(([i]) => verdicts[i] !== PRESENT && verdicts[i] !== ABSENT);
  return {
    present: ids.filter((_, i) => verdicts[i] === PRESENT),
    absent: ids.filter((_, i) => verdicts[i] !== PRESENT),
    statuses: Object.fromEntries(withStatus.map(([i, userId]) => [userId, statusOfBit(verdicts[i]!)])),
  };
}

/** What the answer should be, by the evaluator of all filters and one look-up after the other. */
function expected(table: Table, filter: CompiledFilter, userIds: readonly string[]) {
  const result = new Set<User>();
  filter.forEachUser(table, (user) => result.add(user));
  const ids = [...new Set(userIds)];
  const isPresent = (userId: string) => result.has(table.user(userId) as User);
  const others = ids.filter((userId) => !isPresent(userId) && table.user(userId)?.isInvisible === false);
  return {
    present: ids.filter(isPresent),
    absent: ids.filter((userId) => !isPresent(userId)),
    statuses: Object.fromEntries(
      others.map((userId) => [userId, statusOfBit(table.user(userId)!.statusBit)]),
    ),
  };
}

const FILTERS: readonly (readonly [fields: object, showsInvisible: boolean])[] = [
  [{}, false],
  [{ hasFocus: true }, false],
  [{ isTyping: false }, false],
  [{ includeBackgroundSessions: true }, false],
  [{ custom: { team: ["a", "b"] } }, false],
  [{ selectedConversationId: "c1" }, false],
  [{ selectedConversationId: null, includeBackgroundSessions: true }, false],
  [{ selectedConversationId: "nowhere" }, false],
  [{ isTyping: true }, false],
  [{}, true],
  [{ custom: { team: "a" }, includeBackgroundSessions: true }, true],
];

it.each(FILTERS)("%j agrees with the result of the same filter", (fields, showsInvisible) => {
  const random = new Random(SEED);
  for (const users of [3, 300, 3_000]) {
    const table = tableOf(users);
    // Some are asked for twice, and some are nobody.
    const userIds = Array.from({ length: 1.5 * users }, () => `u${random.below(1.2 * users)}`);
    const filter = filterOf(fields, showsInvisible);
    expect(check(table, filter, userIds)).toEqual(expected(table, filter, userIds));
  }
});

it("names each user once, in the order asked", () => {
  const { present, absent } = check(tableOf(10), filterOf({}), ["u5", "x", "u1", "u5", "x"]);
  expect([present, absent]).toEqual([["u5", "u1"], ["x"]]);
});

it("never scans, and looks at the sessions of nobody else", () => {
  const table = tableOf(1_000);
  let matched = 0;
  const filter = filterOf({ hasFocus: true });
  const matches = filter.matches.bind(filter);
  filter.matches = (session) => {
    matched++;
    return matches(session);
  };
  const userIds = Array.from({ length: 100 }, (_, i) => `u${i}`);
  checkUsers(table, filter, new TextIds(userIds));
  expect(matched).toBeGreaterThan(0);
  expect(matched).toBeLessThanOrEqual(100);
});
