import { expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { createReplicationSink } from "../../../src/server/cluster/replication-sink.ts";
import type { Replicator } from "../../../src/server/cluster/replicator.ts";
import { httpSessionId } from "../../../src/server/gateway/http-session-id.ts";

const sessionOf = (userId: string, owner?: string) =>
  new SessionRow("s", new UserRow(userId), "widget", NEW_SESSION, undefined, {
    opened: 1,
    owner,
    epoch: 0,
    lostAt: undefined,
  });

/** A sink of the app "app", and what it writes: the user whose replicator was asked, and what for. */
function sinkAndWrites() {
  const writes: unknown[][] = [];
  const sink = createReplicationSink(
    "app",
    (userId) => {
      const writer: Pick<Replicator, "writeRow" | "writeEnd"> = {
        writeRow: (kind, appId, { sessionId }, isNew) => writes.push([userId, kind, appId, sessionId, isNew]),
        writeEnd: (kind, appId, sessionId, cause) => writes.push([userId, kind, appId, sessionId, cause]),
      };
      return writer as Replicator;
    },
    (now) => now > 5,
    7,
  );
  return { sink, writes };
}

it("the changes of a session go to the replicator of its user's shard", () => {
  const { sink, writes } = sinkAndWrites();
  sink.opened(sessionOf("alice"));
  sink.changed(sessionOf("bob"));
  sink.takenOver(sessionOf("alice"));
  expect(writes).toEqual([
    ["alice", "open", "app", "s", true],
    ["bob", "patch", "app", "s", false],
    ["alice", "takeover", "app", "s", false],
  ]);
});

it("an end is forced for a session that was kicked, and for one of another node", () => {
  const { sink, writes } = sinkAndWrites();
  sink.ended(sessionOf("alice"), "closed");
  sink.ended(sessionOf("alice"), "kicked");
  sink.ended(sessionOf("alice", "w"), "timeout");
  expect(writes).toEqual([
    ["alice", "end", "app", "s", "closed"],
    ["alice", "forceEnd", "app", "s", "kicked"],
    ["alice", "forceEnd", "app", "s", "timeout"],
  ]);
});

it("whether sessions may end is for the cluster to say", () => {
  const { sink } = sinkAndWrites();
  expect([5, 6].map((now) => sink.canExpireSessions(now))).toEqual([false, true]);
});

it("a session that is written over HTTP wins against one with its id that another node has opened", () => {
  const { sink, writes } = sinkAndWrites();
  const sessionId = httpSessionId("alice", "bot");
  sink.opened({ ...sessionOf("alice"), sessionId });
  expect(writes).toEqual([["alice", "takeover", "app", sessionId, false]]);
});
