import { expect, it } from "vitest";
import { NEW_SESSION, type RemoteSession } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import type { Effect } from "../../../src/server/cluster/effect.ts";
import { EffectApplier, type EffectTargets } from "../../../src/server/cluster/effect-applier.ts";

const session = new SessionRow("s", new UserRow("alice"), "widget", NEW_SESSION, undefined, {
  opened: 1,
  owner: undefined,
  epoch: 5,
  lostAt: undefined,
});
const remote: RemoteSession = {
  userId: "alice",
  kind: "widget",
  opened: 1,
  epoch: 6,
  lostAt: undefined,
  state: NEW_SESSION,
};
const ofSession = { appId: "app", session };
const ofId = { appId: "app", sessionId: "s" };

/** What applying an effect calls, in order. Everything but names and plain values is left out. */
function callsOf(effect: Effect): string[] {
  const calls: string[] = [];
  const call =
    (name: string) =>
    (...args: unknown[]) => {
      const values = args.filter((arg) => typeof arg === "string" || typeof arg === "number");
      calls.push([name, ...values].join(" "));
      return { writer: args[0] };
    };
  const target = (name: string) =>
    new Proxy({}, { get: (_, method) => call(`${name}.${String(method)}`) }) as unknown;
  const writer = { buffer: target("buffer"), writeRow: call("writeRow"), writeEnd: call("writeEnd") };
  const targets = {
    presence: target("presence"),
    remoteNodes: target("remoteNodes"),
    writer,
    reconciler: target("reconciler"),
    reader: target("reader"),
    rejected: call("rejected"),
  } as unknown as EffectTargets;
  new EffectApplier(targets).apply(effect, 9);
  return calls;
}

it.each<[Effect, string[]]>([
  [{ do: "ignore" }, []],
  [{ do: "reject" }, ["rejected"]],
  [
    { do: "applyRow", ...ofId, remote, owner: "w" },
    ["reconciler.markAlive s", "buffer.drop s", "remoteNodes.getOrAdd w 9", "presence.applyRemote app s w 9"],
  ],
  [
    { do: "applyEnd", ...ofSession, cause: "closed" },
    ["buffer.drop s", "reconciler.markEnded s", "presence.applyRemoteEnd app closed 9"],
  ],
  [{ do: "removeRow", ...ofSession, cause: "closed" }, ["presence.applyRemoteEnd app closed 9"]],
  [{ do: "reclaim", ...ofSession }, ["presence.reclaim app 9"]],
  [{ do: "ownerLost", ...ofSession }, ["presence.onOwnerLost app 9"]],
  [{ do: "writeAgain", kind: "open", ...ofSession }, ["writeRow open app"]],
  [{ do: "outbid", ...ofSession, epoch: 6 }, ["presence.setEpoch app 6 9", "writeRow takeover app"]],
  [{ do: "writeEnd", ...ofId }, ["reconciler.markEnded s", "writeEnd end app s closed"]],
  // It is shown until its end is read back.
  [{ do: "expire", ...ofId }, ["writeEnd end app s node-lost"]],
  [{ do: "quarantine", sessionId: "s" }, ["reconciler.quarantine s"]],
  [{ do: "missSession", ...ofId }, ["reconciler.addWithoutSession s app"]],
  [{ do: "missRow", ...ofId }, ["reconciler.addWithoutRow s app"]],
  [{ do: "reload", reason: "refused" }, ["reader.restart 9 refused"]],
])("$do is applied where it belongs", (effect, expected) => {
  expect(callsOf(effect)).toEqual(expected);
});
