import { cpus } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { enterCrowd, enterCrowdBy, homeOf } from "../load/crowd.ts";
import { enterNew, type Member } from "../load/dialect.ts";
import { openMember } from "../load/gateway-dialect.ts";
import { closeAll, expect, openSocket, quiet, received, showToken, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortList } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const MESSAGES: Readonly<Record<Effort, number>> = { quick: 7, normal: 14, full: 21 };
const EVENTS: Readonly<Record<Effort, number>> = { quick: 20, normal: 50, full: 60 };
const SUBSCRIBERS = 1_000;
const CONVERSATION = "conversation-of-the-watched";
/** Time for pending changes to reach the other workers. */
const SPREAD_MS = 200;

/** One core is for the load. On small machines all share the cores. */
const WORKERS = Math.max(2, Math.min(8, cpus().length - 1));

const UPDATE = "CPU µs per update";
const DELIVERY = "CPU µs per delivery";

const nameOf = ({ name, role }: Pick<ServerKind, "name" | "role">, processes: number) => {
  if (processes === 1) return `${name}, one process`;
  return `${name}, ${processes} ${role === "gateway" ? "workers" : "processes"}`;
};
const remote = (kind: string) => `${kind}, a change on another worker`;
const OURS = { name: "gateway-uws", role: "gateway" } as const;

export const cores: Scenario = {
  name: "cores",
  question: "What does each core of a machine add?",
  method:
    "One gateway with `WORKERS`, all processes of it counted. The updates of `update`, which nobody on the " +
    "other workers watches. Then the deliveries of `fan-out`, to subscribers on all workers, each event " +
    "awaited. A worker uses one core, and applies what the others do. What that costs it is measured with " +
    "all the updates on one worker. The load is on the same machine. On one with few cores it shares them " +
    "with the workers, so what is done in a second by the clock says little there: the costs say what more " +
    "cores add. The baseline is as many servers with a share of the " +
    "subscribers each, and each gets every event: what more processes on this machine cost by themselves.",
  rounds: { quick: 1, normal: 2, full: 5 },
  warmUps: 1,
  targets: [
    { figure: DELIVERY, of: nameOf(OURS, WORKERS), over: nameOf(OURS, 1), atMost: 1.1 },
    { figure: UPDATE, of: remote(OURS.name), over: nameOf(OURS, 1), atMost: 0.4 },
  ],
  async contenders({ kinds, effort, addNote }) {
    addNote(`load and gateway share the ${cpus().length} cores of this machine`);
    const contenders: Contender[] = [];
    let diff = "";
    for (const kind of shortList(kinds, effort).filter(({ role }) => role !== "peer"))
      for (const processes of [1, WORKERS]) {
        if (kind.role === "baseline") {
          contenders.push(await baseline(kind, processes, EVENTS[effort], diff));
          continue;
        }
        const { contender, sample } = await gateway(kind, processes, effort);
        contenders.push(contender);
        diff ||= sample;
        if (processes > 1 && kind.name === OURS.name) contenders.push(await applying(kind, effort));
      }
    return contenders;
  },
};

async function gateway(
  kind: ServerKind,
  workers: number,
  effort: Effort,
): Promise<{ contender: Contender; sample: string }> {
  const server = await kind.start({ WORKERS: String(workers), DIFF_INTERVAL_MS: "0" });
  const crowd = await enterCrowd(kind.dialect, server.port);
  const writer = await enterNew(kind.dialect, server.port, await userToken("watched"), CONVERSATION);
  const token = await appToken();
  const subscribers = await times(SUBSCRIBERS, () => kind.dialect.watch(server.port, token, CONVERSATION));
  const frames = [true, false].map((hasFocus) => writer.frame({ hasFocus }));
  const first = subscribers[0]!.next();
  writer.socket.write(frames[0]!);
  const sample = await first;
  expect(sample, "diff");
  await quiet(subscribers);
  let count = 1;

  /** CPU µs of all processes for what `act` does, other workers included, and its seconds by the clock. */
  async function measure(act: () => Promise<unknown>): Promise<{ cpuMicros: number; seconds: number }> {
    const before = await server.usage();
    const startedAt = performance.now();
    await act();
    const seconds = (performance.now() - startedAt) / 1_000;
    await delay(SPREAD_MS);
    const after = await server.usage();
    return { cpuMicros: after.cpuMicros - before.cpuMicros, seconds };
  }

  async function deliver(): Promise<void> {
    for (let event = 0; event < EVENTS[effort]; event++) {
      const delivered = received(subscribers, SUBSCRIBERS);
      writer.socket.write(frames[count++ % 2]!);
      await delivered;
    }
  }

  const contender: Contender = {
    name: nameOf(kind, workers),
    ...(workers === 1 ? {} : { baseline: nameOf(kind, 1) }),
    async round() {
      let updates = 0;
      const updating = await measure(async () => {
        updates = await crowd.change(MESSAGES[effort]);
      });
      const delivering = await measure(deliver);
      const deliveries = EVENTS[effort] * SUBSCRIBERS;
      return {
        [UPDATE]: updating.cpuMicros / updates,
        [DELIVERY]: delivering.cpuMicros / deliveries,
        "updates a second": updates / updating.seconds,
        "deliveries a second": deliveries / delivering.seconds,
      };
    },
    async close() {
      await crowd.leave();
      await closeAll([writer.socket, ...subscribers]);
      await server.stop();
    },
  };
  return { contender, sample };
}

/** What a change costs a worker that has neither its socket nor a subscriber to it. */
async function applying(kind: ServerKind, effort: Effort): Promise<Contender> {
  const server = await kind.start({ WORKERS: String(WORKERS), NODE_ID: "node" });
  const crowd = await enterCrowdBy((i) => enterOn("node-1", server.port, i));
  const cpuOfOthers = async () => {
    const { workersCpuMicros } = await server.usage();
    return workersCpuMicros!.slice(1).reduce((sum, micros) => sum + micros, 0) / (WORKERS - 1);
  };
  return {
    name: remote(kind.name),
    baseline: nameOf(kind, 1),
    async round() {
      const before = await cpuOfOthers();
      const updates = await crowd.change(MESSAGES[effort]);
      await delay(SPREAD_MS);
      return { [UPDATE]: ((await cpuOfOthers()) - before) / updates };
    },
    async close() {
      await crowd.leave();
      await server.stop();
    },
  };
}

/** Enters with a socket of that worker. Which one a socket gets is up to the system. */
async function enterOn(worker: string, port: number, user: number): Promise<Member> {
  const token = await userToken(`user-${user}`);
  for (;;) {
    const socket = await openSocket(port);
    if ((await showToken(socket, token)) === worker) return openMember(socket, homeOf(user));
    await socket.close();
  }
}

async function baseline(
  kind: ServerKind,
  processes: number,
  events: number,
  diff: string,
): Promise<Contender> {
  const servers = await times(processes, () => kind.start());
  await Promise.all(servers.map((server) => server.prepare?.(diff)));
  const portOf = (i: number) => servers[i % processes]!.port;
  const writers = await times(processes, async (i) =>
    enterNew(kind.dialect, portOf(i), await userToken("watched"), CONVERSATION),
  );
  const token = await appToken();
  const subscribers = await times(SUBSCRIBERS, (i) => kind.dialect.watch(portOf(i), token, CONVERSATION));
  const frames = writers.map((writer) => writer.frame({ hasFocus: true }));
  const cpuMicros = async () =>
    (await Promise.all(servers.map((server) => server.usage()))).reduce((sum, use) => sum + use.cpuMicros, 0);
  return {
    name: nameOf(kind, processes),
    ...(processes === 1 ? {} : { baseline: nameOf(kind, 1) }),
    async round() {
      const before = await cpuMicros();
      const startedAt = performance.now();
      for (let event = 0; event < events; event++) {
        const delivered = received(subscribers, SUBSCRIBERS);
        for (const [i, { socket }] of writers.entries()) socket.write(frames[i]!);
        await delivered;
      }
      const seconds = (performance.now() - startedAt) / 1_000;
      const deliveries = events * SUBSCRIBERS;
      return {
        [DELIVERY]: ((await cpuMicros()) - before) / deliveries,
        "deliveries a second": deliveries / seconds,
      };
    },
    async close() {
      await closeAll([...writers.map(({ socket }) => socket), ...subscribers]);
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
