import { expect, it } from "vitest";
import { NEW_SESSION, Session } from "../../../src/core/sessions/session.ts";
import { User } from "../../../src/core/sessions/user.ts";
import type { OpKind } from "../../../src/server/cluster/log.ts";
import { MAX_BATCH_OPS, WriteBuffer } from "../../../src/server/cluster/write-buffer.ts";
import type { HeldSession } from "../../../src/server/gateway/tenant.ts";

const session = new Session("s", new User("alice"), "widget", NEW_SESSION, undefined, {
  opened: 1,
  owner: undefined,
  term: 0,
  lostAt: undefined,
}) as HeldSession;

function note(outbound: WriteBuffer, kind: OpKind, sessionId = "s"): void {
  const isEnd = kind === "end" || kind === "forceEnd";
  outbound.add(sessionId, { kind, appId: "app", session: isEnd ? undefined : session, cause: "closed" });
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
  const outbound = new WriteBuffer();
  for (const kind of kinds) note(outbound, kind);
  expect(outbound.makeBatch(0).ops.map(({ kind }) => kind)).toEqual([expected]);
});

it("what is to be said does not grow with time, and goes out in pieces", () => {
  const outbound = new WriteBuffer();
  for (let i = 0; i < 3 * MAX_BATCH_OPS; i++) note(outbound, "patch", `s${i % (MAX_BATCH_OPS + 1)}`);
  expect(outbound.makeBatch(0).ops).toHaveLength(MAX_BATCH_OPS);
  expect(outbound.makeBatch(0).ops).toHaveLength(1);
  expect(outbound.isEmpty).toBe(true);
});

it("who came and went unheard is not told of, unless it may have been heard after all", () => {
  const outbound = new WriteBuffer();
  const open = (sessionId: string) =>
    outbound.add(sessionId, { kind: "open", appId: "app", session, cause: "closed", isNew: true });
  for (let i = 0; i < 1_000; i++) {
    open(`s${i}`);
    note(outbound, "patch", `s${i}`);
    note(outbound, i % 2 === 0 ? "end" : "forceEnd", `s${i}`);
  }
  expect(outbound.size).toBe(0);
  open("sent");
  outbound.makeBatch(0);
  note(outbound, "end", "sent");
  expect(outbound.size).toBe(1);
  outbound.restart();
  expect(outbound.makeBatch(0).ops.map(({ kind }) => kind)).toEqual(["end"]);
  open("lost");
  outbound.makeBatch(0);
  outbound.restart();
  note(outbound, "end", "lost");
  expect(outbound.makeBatch(0).ops.map(({ sessionId }) => sessionId)).toContain("lost");
});

it("what nobody has heard is said again by the next writer, the last word on each session", () => {
  const outbound = new WriteBuffer();
  note(outbound, "patch");
  note(outbound, "end", "t");
  outbound.makeBatch(0);
  note(outbound, "end");
  outbound.makeBatch(0);
  expect(outbound.confirm(1)?.seq).toBe(1);
  outbound.restart();
  expect(outbound.unconfirmed).toEqual([]);
  const batch = outbound.makeBatch(0);
  expect(batch.seq).toBe(1);
  expect(batch.ops).toEqual([{ kind: "end", sessionId: "s", text: '[1,"app",null,"closed"]' }]);
});

it.each<[readonly OpKind[], OpKind]>([
  [["takeover", "end"], "forceEnd"],
  [["takeover", "patch"], "takeover"],
  [["takeover", "patch", "end"], "forceEnd"],
  [["open", "patch"], "open"],
])("what nobody has heard, %j in batches of their own, is said again as %s", (kinds, expected) => {
  const outbound = new WriteBuffer();
  for (const kind of kinds) {
    note(outbound, kind);
    outbound.makeBatch(0);
  }
  outbound.restart();
  expect(outbound.makeBatch(0).ops.map(({ kind }) => kind)).toEqual([expected]);
});
