import { describe, expect, it } from "vitest";
import { NEW_SESSION } from "../../../src/core/sessions/session.ts";
import { SessionRow } from "../../../src/core/sessions/session-row.ts";
import { UserRow } from "../../../src/core/sessions/user-row.ts";
import { detectFailures } from "../../../src/server/cluster/detect-failures.ts";
import { RemoteNodes } from "../../../src/server/cluster/remote-nodes.ts";
import { knowing } from "./knowing.ts";

const LEASE_MS = 1_000;
const WINDOW_MS = 5_000;
const STAGGER_MS = 500;

const sessionOf = (sessionId: string, owner: string) => ({
  appId: "app",
  session: new SessionRow(sessionId, new UserRow("alice"), "widget", NEW_SESSION, undefined, {
    opened: 1,
    owner,
    epoch: 0,
    lostAt: undefined,
  }),
});

function nodesOf(...writers: string[]): RemoteNodes {
  const remoteNodes = new RemoteNodes(WINDOW_MS);
  for (const writer of writers) remoteNodes.joined(writer, LEASE_MS, `node-${writer}`, 0);
  return remoteNodes;
}

const detect = (
  remoteNodes: RemoteNodes,
  now: number,
  sessions: readonly ReturnType<typeof sessionOf>[] = [],
  knowledge = knowing(),
) => detectFailures({ remoteNodes, sessions, knowledge, self: "self" }, now);

describe("a node that was silent", () => {
  it("for less than its lease is left alone, and evicted after that, once a second", () => {
    const remoteNodes = nodesOf("w");
    remoteNodes.heardFrom("w", 7, 100);
    expect(detect(remoteNodes, LEASE_MS + 99).commands).toEqual([]);
    const evict = { do: "evict", writer: "w", seq: 7 };
    expect(detect(remoteNodes, LEASE_MS + 100).commands).toEqual([evict]);
    expect(detect(remoteNodes, LEASE_MS + 200).commands).toEqual([]);
    expect(detect(remoteNodes, LEASE_MS + 1_100).commands).toEqual([evict]);
  });

  it("is evicted with at most seven others at a time", () => {
    const remoteNodes = nodesOf(...Array.from({ length: 10 }, (_, i) => `w${i}`));
    expect(detect(remoteNodes, LEASE_MS).commands).toHaveLength(8);
    expect(detect(remoteNodes, LEASE_MS).commands).toHaveLength(2);
  });
});

describe("a node that was evicted", () => {
  const evicted = () => {
    const remoteNodes = nodesOf("w");
    remoteNodes.evict("w", 0);
    return remoteNodes;
  };

  it("leaves sessions that end when the window is over, unless something about them is unconfirmed", () => {
    const sessions = [sessionOf("one", "w"), sessionOf("two", "other")];
    expect(detect(evicted(), WINDOW_MS - 1, sessions)).toEqual({ commands: [], effects: [] });
    expect(detect(evicted(), WINDOW_MS, sessions)).toEqual({
      commands: [],
      effects: [{ do: "expire", appId: "app", sessionId: "one" }],
    });
    const knowledge = knowing({ hasUnconfirmedWrite: true });
    expect(detect(evicted(), WINDOW_MS, sessions, knowledge)).toEqual({ commands: [], effects: [] });
  });

  it("is forgotten once it has no sessions left", () => {
    const remoteNodes = evicted();
    const { commands } = detect(remoteNodes, WINDOW_MS, [sessionOf("two", "other")]);
    expect(commands).toEqual([{ do: "forget", writer: "w" }]);
    expect(remoteNodes.get("w")).toBeUndefined();
  });

  it("waits longer for a node of a higher rank", () => {
    const remoteNodes = evicted();
    remoteNodes.joined("before-self", 60_000, "n", 0);
    expect(detect(remoteNodes, WINDOW_MS + STAGGER_MS - 1).commands).toEqual([]);
    expect(detect(remoteNodes, WINDOW_MS + STAGGER_MS).commands).toEqual([{ do: "forget", writer: "w" }]);
  });
});
