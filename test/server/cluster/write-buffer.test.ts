import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import type { OpKind } from "../../../src/server/cluster/log.ts";
import { MAX_BATCH_OPS, WriteBuffer } from "../../../src/server/cluster/write-buffer.ts";

const session = new SessionRow("s", new UserRow("alice"), "widget", NEW_SESSION, undefined, {
  opened: 1,
  owner: undefined,
  epoch: 0,
  lostAt: undefined,
});

function write(buffer: WriteBuffer, kind: OpKind, sessionId = "s"): void {
  const isEnd = kind === "end" || kind === "forceEnd";
  buffer.add(sessionId, { kind, appId: "app", session: isEnd ? undefined : session, cause: "closed" });
}

it.each<[readonly OpKind[], OpKind]>([
  [["open"], "open"],
  [["open", "patch"], "open"],
  [["open", "end"], "end"],
  [["patch", "patch"], "patch"],
  [["patch", "end"], "end"],
  [["takeover", "patch"], "takeover"],
  [["takeover", "patch", "end"], "forceEnd"],
  [["end", "takeover"], "takeover"],
  [["patch", "forceEnd"], "forceEnd"],
])("%j is said as %s", (kinds, expected) => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  for (const kind of kinds) write(buffer, kind);
  expect(buffer.makeBatch(0).ops.map(({ kind }) => kind)).toEqual([expected]);
});

it("pending writes do not grow with time, and are sent in batches", () => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  for (let i = 0; i < 3 * MAX_BATCH_OPS; i++) write(buffer, "patch", `s${i % (MAX_BATCH_OPS + 1)}`);
  expect(buffer.makeBatch(0).ops).toHaveLength(MAX_BATCH_OPS);
  expect(buffer.makeBatch(0).ops).toHaveLength(1);
  expect(buffer.isEmpty).toBe(true);
});

it("a session that opened and ended unwritten is not written, unless other nodes may know it", () => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  const open = (sessionId: string) =>
    buffer.add(sessionId, { kind: "open", appId: "app", session, cause: "closed", isNew: true });
  for (let i = 0; i < 1_000; i++) {
    open(`s${i}`);
    write(buffer, "patch", `s${i}`);
    write(buffer, i % 2 === 0 ? "end" : "forceEnd", `s${i}`);
  }
  expect(buffer.size).toBe(0);
  open("sent");
  buffer.makeBatch(0);
  write(buffer, "end", "sent");
  expect(buffer.size).toBe(1);
  buffer.restart();
  expect(buffer.makeBatch(0).ops.map(({ kind }) => kind)).toEqual(["end"]);
  open("lost");
  buffer.makeBatch(0);
  buffer.restart();
  write(buffer, "end", "lost");
  expect(buffer.makeBatch(0).ops.map(({ sessionId }) => sessionId)).toContain("lost");
});

it("the next writer writes again what was not read back, the latest write of each session", () => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  write(buffer, "patch");
  write(buffer, "end", "t");
  buffer.makeBatch(0);
  write(buffer, "end");
  buffer.makeBatch(0);
  expect(buffer.confirm(1)?.seq).toBe(1);
  buffer.restart();
  expect(buffer.unconfirmed).toEqual([]);
  const batch = buffer.makeBatch(0);
  expect(batch.seq).toBe(1);
  expect(batch.ops).toEqual([{ kind: "end", sessionId: "s", text: '[1,"app",null,"closed"]' }]);
});

it.each<[readonly OpKind[], OpKind]>([
  [["takeover", "end"], "forceEnd"],
  [["takeover", "patch"], "takeover"],
  [["takeover", "patch", "end"], "forceEnd"],
  [["open", "patch"], "open"],
])("what nobody has heard, %j in batches of their own, is said again as %s", (kinds, expected) => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  for (const kind of kinds) {
    write(buffer, kind);
    buffer.makeBatch(0);
  }
  buffer.restart();
  expect(buffer.makeBatch(0).ops.map(({ kind }) => kind)).toEqual([expected]);
});

it("a profile is written after the ends that came before it, and waits with them", () => {
  const buffer = new WriteBuffer({ setEpoch: () => {} });
  const profile = (text: string) =>
    buffer.add("p", { kind: "profile", appId: "app", session: undefined, cause: "closed", text });
  profile("invisible");
  write(buffer, "forceEnd", "s1");
  profile("erased");
  expect(buffer.hasPending(false)).toBe(false);
  expect(buffer.makeBatch(0, false).ops).toEqual([]);
  expect(buffer.hasPending(true)).toBe(true);
  expect(buffer.makeBatch(0).ops.map(({ kind, text }) => [kind, kind === "profile" ? text : ""])).toEqual([
    ["forceEnd", ""],
    ["profile", "erased"],
  ]);
});
