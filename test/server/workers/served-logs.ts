import { onTestFinished } from "vitest";
import { LogClient } from "../../../src/server/workers/log-client.ts";
import { LogServer, type LogServerOptions } from "../../../src/server/workers/log-server.ts";
import { MAX_PROFILES } from "../cluster/log-contract.ts";
import { ChannelEnd } from "./channel-pair.ts";

/** A server of logs in this process, and workers of it, until the test ends. */
export function serveLogs(options: Partial<LogServerOptions> = {}) {
  const problems: string[] = [];
  const misbehaved: string[] = [];
  const server = new LogServer({
    shards: 1,
    maxProfiles: MAX_PROFILES,
    // Most tests wait for one answer before they ask for the next.
    confirmMs: 0,
    wallNow: Date.now,
    badMessage: (nodeId, problem) => problems.push(`${nodeId}: ${problem}`),
    misbehaved: (nodeId, problem) => misbehaved.push(`${nodeId}: ${problem}`),
    ...options,
  });
  onTestFinished(() => server.close());
  /** The ends of a channel to a worker that is served. */
  const connect = (nodeId: string) => {
    const [worker, primary] = ChannelEnd.pair();
    server.serve(primary, nodeId);
    return { worker, primary };
  };
  const start = (nodeId: string) => {
    const ends = connect(nodeId);
    return { ...ends, client: new LogClient(ends.worker) };
  };
  return { server, problems, misbehaved, connect, start };
}
