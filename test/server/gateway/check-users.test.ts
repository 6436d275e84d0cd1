import { expect, it } from "vitest";
import { NO_PROFILE } from "../../../src/core/sessions/profile.ts";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { patchStatus } from "../../../src/core/sessions/status.ts";
import { type ReadonlyTable, Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { checkUsers } from "../../../src/server/gateway/check-users.ts";

/** Users who are online in every way, and some who are not. */
function tableOf(users: number): Table {
  const table = new Table();
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
      custom: i % 6 === 0 ? { team: "a" } : {},
    });
    table.open(`s${i}`, userId, i % 11 === 0 ? "background" : "widget", state, undefined);
  }
  return table;
}

const filterOf = (fields: object, userIds: readonly string[], showsInvisible = false) =>
  new CompiledFilter({ ...FilterSchema.parse(fields), userIds: [...userIds] }, { showsInvisible });

it.each([
  [{}, false],
  [{ hasFocus: true }, false],
  [{ includeBackgroundSessions: true }, false],
  [{ custom: { team: ["a", "b"] } }, false],
  [{ isTyping: true }, false],
  [{}, true],
] as const)("%j agrees with the result of the same filter", (fields, showsInvisible) => {
  const table = tableOf(300);
  const userIds = Array.from({ length: 300 }, (_, i) => `u${(i * 7) % 300}`);
  const filter = filterOf(fields, userIds, showsInvisible);
  const result = new Set<string>();
  filter.forEachUser(table, ({ userId }) => result.add(userId));
  const { present, absent, statuses } = checkUsers(table, filter);
  expect(present).toEqual(userIds.filter((userId) => result.has(userId)));
  expect(absent).toEqual(userIds.filter((userId) => !result.has(userId)));
  const others = absent.filter((userId) => table.user(userId)?.isInvisible === false);
  expect(Object.keys(statuses).sort()).toEqual(others.sort());
  for (const userId of others) {
    const { status } = JSON.parse(`{${table.user(userId)!.encodedEntry(filter)}}`)[userId];
    expect(statuses[userId]).toBe(status);
  }
});

it("names each user once, in the order asked", () => {
  const { present, absent } = checkUsers(tableOf(10), filterOf({}, ["u5", "x", "u1", "u5", "x"]));
  expect([present, absent]).toEqual([["u5", "u1"], ["x"]]);
});

it("looks each user up, and never scans", () => {
  const table = tableOf(1_000);
  let lookUps = 0;
  const user = (userId: string) => {
    lookUps++;
    return table.user(userId);
  };
  const userIds = Array.from({ length: 100 }, (_, i) => `u${i}`);
  // Anything else of the table would throw.
  checkUsers({ user } as unknown as ReadonlyTable, filterOf({ hasFocus: true }, userIds));
  expect(lookUps).toBe(100);
});
