import { expect, it } from "vitest";
import { Link } from "../../../src/server/cluster/link.ts";
import type { Entry, Log, LogStatus } from "../../../src/server/cluster/log.ts";
import type { Replicator } from "../../../src/server/cluster/replicator.ts";
import { until } from "../../support/until.ts";

const STATUS: LogStatus = { end: { count: 0, id: "0-0" }, found: undefined, register: [] };

/** A log that answers as a test wants. */
function fakeLog(read: () => Promise<Entry[]>): Log {
  let end: (reason: Error) => void = () => {};
  const ended = new Promise<never>((_resolve, reject) => {
    end = reject;
  });
  ended.catch(() => {});
  return {
    ended,
    close: () => end(new Error("closed")),
    readStatus: async () => STATUS,
    read,
  } as unknown as Log;
}

/** A replicator that reads after an entry, and whose calls fail as a test wants. */
function fakeReplicator(calls: Partial<Replicator>) {
  const said: string[] = [];
  const replicator = {
    linked: () => void said.push("linked"),
    unlinked: () => void said.push("unlinked"),
    readAfter: "7-0",
    step: () => [],
    read: () => {},
    skipUnreadable: () => void said.push("skip"),
    failed: (error: Error) => void said.push(error.message),
    ...calls,
  };
  return { said, replicator: replicator as unknown as Replicator };
}

function link(replicator: Replicator, connect: () => Promise<Log>): Link {
  return new Link({
    connect,
    replicator,
    transact: (act) => act(),
    clock: { now: () => performance.now(), wallNow: Date.now },
    leaseMs: 1_000,
    intervalMs: 10,
    counts: { batches: 0, ops: 0, entries: 0, records: 0 },
    events: { connected: () => {}, disconnected: () => {}, crashed: () => {} },
  });
}

it("an entry that cannot be taken in three times is skipped", async ({ onTestFinished }) => {
  const { said, replicator } = fakeReplicator({});
  const log = () =>
    fakeLog(async () => {
      throw new Error("too large to come in time");
    });
  const each = link(replicator, async () => log());
  onTestFinished(() => each.close());
  await until(() => said.includes("skip"));
  expect(said.slice(0, said.indexOf("skip")).filter((word) => word === "linked")).toHaveLength(3);
});

it("a failure while a reply is taken in is reported, and the link is opened again", async ({
  onTestFinished,
}) => {
  let looks = 0;
  const { said, replicator } = fakeReplicator({
    step: () => (looks++ === 0 ? [{ do: "readStatus", at: undefined }] : []),
    statusRead: () => {
      throw new Error("a defect");
    },
  });
  const never = new Promise<Entry[]>(() => {});
  const each = link(replicator, async () => fakeLog(() => never));
  onTestFinished(() => each.close());
  await until(() => said.filter((word) => word === "linked").length === 2);
  expect(said.slice(0, 4)).toEqual(["linked", "a defect", "unlinked", "linked"]);
});
