import { clockTime, duration, fewDigits, megabytes, wholeNumber } from "../model/format.ts";
import type { NodeDescription, NodePoll } from "../store/node-poll.ts";
import { useTopic } from "../store/use-topic.ts";
import { Fact } from "./fact.tsx";

/** Health and figures of the node that the page is connected to. */
export function NodePanel({ poll }: { readonly poll: NodePoll }) {
  useTopic(poll.changed);
  const { health, problem } = poll;
  return (
    <section class={problem === undefined ? "panel node" : "panel node stale"} aria-labelledby="node-title">
      <h2 id="node-title">Node</h2>
      {problem !== undefined && (
        <p class="problem">
          {problem} {health !== undefined && `As of ${clockTime(health.at)}.`}
        </p>
      )}
      {health === undefined ? (
        problem === undefined && <p class="muted">Loading…</p>
      ) : (
        <dl class="facts">
          <Fact name="Sockets" value={wholeNumber(health.stats.sockets)} />
          <Fact name="Sessions" value={wholeNumber(health.stats.sessions)} />
          <Fact name="Subscriptions" value={wholeNumber(health.stats.subscriptions)} />
          <Fact name="Views" value={wholeNumber(health.stats.views)} />
          <Fact name="Memory" value={megabytes(health.node.rssBytes)} />
          <Fact name="Heap" value={megabytes(health.node.heapUsedBytes)} />
          <Fact name="Up" value={duration(health.node.uptimeSeconds)} />
          <Fact name="Version" value={version(health.node)} />
          <Fact isWide name="Event loop p50 / p99 / max" value={delays(health.node)} />
          <Fact isWide name="Id" value={health.node.nodeId} />
        </dl>
      )}
    </section>
  );
}

function delays({ eventLoopDelayMs: { p50, p99, max } }: NodeDescription): string {
  return `${[p50, p99, max].map(fewDigits).join(" / ")} ms`;
}

function version({ version, transport }: NodeDescription): string {
  return transport === undefined ? version : `${version}, ${transport}`;
}
