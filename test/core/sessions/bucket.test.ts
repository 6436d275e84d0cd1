import { expect, it } from "vitest";
import { Bucket } from "../../../src/core/sessions/bucket.ts";
import { NEW_SESSION, STATUS_VALUES, statusBitsOf } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { Random } from "../../support/random.ts";

it("finds the sessions of each set of status bits, whatever is added, changed and removed", () => {
  const random = new Random(11);
  const user = new UserRow("alice");
  const bucket = new Bucket();
  const rows = new Set<SessionRow>();
  const state = () => ({
    ...NEW_SESSION,
    visible: random.oneIn(2),
    hasFocus: random.oneIn(2),
    isTyping: random.oneIn(2),
  });
  for (let step = 0; step < 3_000; step++) {
    const row = random.oneIn(3) ? undefined : [...rows][random.below(rows.size)];
    if (row === undefined) {
      const added = new SessionRow(`s${step}`, user, "widget", state(), undefined, undefined);
      bucket.add(added, "slotInAll");
      rows.add(added);
    } else {
      bucket.remove(row, "slotInAll", row.statusBits);
      if (random.oneIn(2)) rows.delete(row);
      else {
        const changed = state();
        row.setState(changed, statusBitsOf("widget", changed));
        bucket.add(row, "slotInAll");
      }
    }
    const statusSet = random.below(1 << STATUS_VALUES);
    const matching = [...rows].filter(({ statusBits }) => ((statusSet >> statusBits) & 1) !== 0);
    const visited = new Set<unknown>();
    bucket.forEach(statusSet, (session) => visited.add(session));
    expect(visited).toEqual(new Set(matching));
    expect(new Set(bucket.list(statusSet))).toEqual(new Set(matching));
    expect([bucket.size, bucket.countIn(statusSet)]).toEqual([rows.size, matching.length]);
  }
});
