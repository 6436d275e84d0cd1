import { expect, it } from "vitest";
import { Bucket } from "../../../src/core/sessions/bucket.ts";
import { FLAG_VALUES, flagBitsOf, NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { Random } from "../../support/random.ts";

it("finds the sessions of each set of flag bits, whatever is added, changed and removed", () => {
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
      bucket.remove(row, "slotInAll", row.flagBits);
      if (random.oneIn(2)) rows.delete(row);
      else {
        const changed = state();
        row.setState(changed, flagBitsOf("widget", changed));
        bucket.add(row, "slotInAll");
      }
    }
    const flagSet = random.below(1 << FLAG_VALUES);
    const matching = [...rows].filter(({ flagBits }) => ((flagSet >> flagBits) & 1) !== 0);
    const visited = new Set<unknown>();
    bucket.forEach(flagSet, (session) => visited.add(session));
    expect(visited).toEqual(new Set(matching));
    expect(new Set(bucket.list(flagSet))).toEqual(new Set(matching));
    expect([bucket.size, bucket.countIn(flagSet)]).toEqual([rows.size, matching.length]);
  }
});
