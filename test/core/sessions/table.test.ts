import { expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { Random } from "../../support/random.ts";

const truth = (custom: object) => Buffer.byteLength(JSON.stringify(custom));

it("the bytes of custom fields are kept for each session, and summed for each user", () => {
  const table = new Table();
  const random = new Random(5);
  for (let step = 0; step < 2_000; step++) {
    const id = `s${random.below(10)}`;
    const session = table.get(id);
    const custom = { [`k${random.below(5)}`]: random.oneIn(3) ? null : "€".repeat(random.below(50)) };
    if (session === undefined) {
      table.open(id, `u${random.below(3)}`, "widget", patchState(NEW_SESSION, { custom }), undefined);
    } else if (random.oneIn(4)) table.end(session, "closed");
    else table.update(session, patchState(session, { custom, hasFocus: random.oneIn(2) }));
    for (const userId of ["u0", "u1", "u2"]) {
      const user = table.user(userId);
      const sum = user?.sessions.reduce((total, each) => total + truth(each.custom), 0);
      expect(user?.customBytes).toBe(sum);
    }
  }
});
