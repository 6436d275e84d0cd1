import { describe, expect, it } from "vitest";
import { NEW_SESSION, patchState, type Session } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { encodeRow, parseRecord, readRecord } from "../../../src/server/cluster/record.ts";

const origin = (lostAt?: number) => ({ opened: 5, owner: undefined, epoch: 1, lostAt });
const sessionWith = (custom: Record<string, string>, lostAt?: number) =>
  new SessionRow(
    "s",
    new UserRow("alice"),
    "widget",
    patchState(NEW_SESSION, { custom }),
    undefined,
    origin(lostAt),
  );
const read = (text: string, known?: Session) => readRecord(parseRecord(text)!, known);

describe("the record of a session", () => {
  it("has the time when its socket was lost only if other nodes have to know", () => {
    expect(JSON.parse(encodeRow("app", sessionWith({})))).toHaveLength(9);
    const row = encodeRow("app", sessionWith({}, 1_790_000_000_000));
    expect(JSON.parse(row)).toHaveLength(10);
    expect(read(row)).toMatchObject({ session: { lostAt: 1_790_000_000_000 } });
  });

  it.each(["null", '"x"', "-1", "1.5", "[]", "1e300"])(
    "is read where there is %s in place of that time",
    (other) => {
      const row = `[1,"app","alice","widget",5,1,1,null,{},${other},"more"]`;
      expect(read(row)).toMatchObject({ kind: "row", session: { userId: "alice", lostAt: undefined } });
    },
  );

  it("has at most 4096 bytes of custom fields, as a client may set", () => {
    const most = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, "x".repeat(500)]));
    const bytes = () => Buffer.byteLength(JSON.stringify(most));
    most.rest = "";
    most.rest = "x".repeat(4_096 - bytes());
    expect(read(encodeRow("app", sessionWith(most)))).toMatchObject({
      session: { state: { customBytes: 4_096 } },
    });
    expect(read(encodeRow("app", sessionWith({ ...most, rest: `${most.rest}x` })))).toBeUndefined();
  });

  it("keeps the bytes of custom fields that stay as they are known", () => {
    const known = sessionWith({ page: "é" });
    const fact = read(encodeRow("app", known), known);
    expect(fact).toMatchObject({ session: { state: { customBytes: 13 } } });
    expect(fact?.kind === "row" && fact.session.state.custom).toBe(known.custom);
  });
});
