import { expect, it } from "vitest";
import { NEW_SESSION, patchState, type RemoteSession } from "../../../src/core/sessions/session.ts";
import { ShardPresence } from "../../../src/server/cluster/shard-presence.ts";
import { bareNode } from "../../support/bare-node.ts";

const remoteOf = (userId: string): RemoteSession => ({
  userId,
  kind: "widget",
  opened: 1,
  epoch: 3,
  lostAt: undefined,
  state: patchState(NEW_SESSION, { selectedConversationId: "c1" }),
});

/** The presence of a shard that has all users but bob. */
function shard() {
  const node = bareNode({ apps: [{ id: "app", secrets: ["secret"] }] });
  const presence = new ShardPresence(node, (_appId, userId) => userId !== "bob", node.flushBatch);
  return { presence, app: node.presence("app")! };
}

it("shows a session of another node, until it ends", () => {
  const { presence } = shard();
  presence.applyRemote("app", "s", remoteOf("alice"), "w", 0);
  const session = presence.get("app", "s")!;
  expect(session).toMatchObject({ selectedConversationId: "c1", ownership: { owner: "w", epoch: 3 } });
  expect(presence.countSessions("app", "alice")).toBe(1);
  presence.applyRemoteEnd("app", session, "closed", 0);
  expect(presence.get("app", "s")).toBeUndefined();
  expect(presence.countSessions("app", "alice")).toBe(0);
});

it("does not show what is in another shard, or of an app that the node does not serve", () => {
  const { presence } = shard();
  presence.applyRemote("app", "s", remoteOf("bob"), "w", 0);
  presence.applyRemote("other", "s", remoteOf("alice"), "w", 0);
  expect([...presence.all()]).toEqual([]);
  expect([presence.serves("app"), presence.serves("other")]).toEqual([true, false]);
  expect(presence.get("other", "s")).toBeUndefined();
});

it("has the sessions of the shard only, though the app has others", () => {
  const { presence, app } = shard();
  const connection = { onSessionTaken: () => {} };
  app.transact(0, (sessions) => {
    sessions.open("alice", "widget", {}, connection);
    sessions.open("bob", "widget", {}, connection);
  });
  const found = [...presence.all()].map(({ appId, session }) => [appId, session.user.userId]);
  expect(found).toEqual([["app", "alice"]]);
});

it("changes who owns a session, and the epoch", () => {
  const { presence } = shard();
  presence.applyRemote("app", "s", remoteOf("alice"), "w", 0);
  const session = presence.get("app", "s")!;
  presence.onOwnerLost("app", session, 0);
  expect(session.ownership).toMatchObject({ owner: "w", lostAt: 0 });
  presence.reclaim("app", session, 0);
  expect(session.ownership?.owner).toBeUndefined();
  presence.setEpoch("app", session, 9, 0);
  expect(session.ownership?.epoch).toBe(9);
});
