import ipaddr from "ipaddr.js";
import type { Logger } from "pino";
import { makeId } from "../core/ids.ts";
import { App, type AppConfig } from "./auth/app.ts";
import { type Clock, createAwakeClock } from "./clock.ts";
import type { Cluster } from "./cluster/cluster.ts";
import { isPlainIpv4 } from "./gateway/admission.ts";
import { Hub } from "./gateway/hub.ts";
import { TcpSlots, type TcpSlotsOptions } from "./gateway/tcp-slots.ts";
import { answerUpgrade } from "./gateway/upgrade.ts";
import { AnonymousRequests } from "./http/anonymous-requests.ts";
import { BodyBudget } from "./http/body-budget.ts";
import { readDashboard } from "./http/dashboard.ts";
import { nodeRoutes } from "./http/node-routes.ts";
import { presenceRoutes } from "./http/presence-api.ts";
import { createRouter } from "./http/router.ts";
import { nodeWarning } from "./node-support.ts";
import { createCrashLog, createRefusalLog } from "./observability/log.ts";
import { createMetrics, type Metrics } from "./observability/metrics.ts";
import { monitorProcess } from "./observability/process-health.ts";
import { memoryBytes, monitorMemory } from "./observability/process-memory.ts";
import type { Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";
import { loadUws } from "./transport/load-uws.ts";
import type { Transport, TransportOptions } from "./transport/transport.ts";
import { listenUws } from "./transport/uws.ts";
import { listenWs } from "./transport/ws.ts";
import { VERSION } from "./version.ts";

/** What the build made of src/dashboard: beside src, as beside what src was built to. */
const DASHBOARD = new URL("../../dist/dashboard/", import.meta.url);

/**
 * TCP connections that an address may have for what is no WebSocket, beside as many as it may have
 * WebSockets.
 */
const LEFT_FOR_STRANGERS = 100;

/** What the log says of a TCP connection that is refused, beside that it is. */
const TCP_REFUSAL_DETAILS = {
  full: undefined,
  share_used: "the share of an address",
} as const satisfies Record<Parameters<TransportOptions["tcpRefused"]>[0], string | undefined>;

export interface Gateway {
  readonly hub: Hub;
  readonly transport: Transport["name"];
  readonly port: number;
  /** Counts and logs a defect that showed outside of every handler. */
  crashed(error: unknown): void;
  /** Resolves if this node finds that it must not be there. */
  readonly failed: Promise<SettingsError>;
  /**
   * Goes down gently: tells every client a delay of its own, ends them over the drain time, answers the requests in
   * hand. Called again, it ends the rest at once.
   */
  stop(): Promise<void>;
}

/** Puts a gateway together and starts it: the one place that knows every part by name. */
export async function startGateway(
  settings: Settings,
  apps: readonly AppConfig[],
  log: Logger,
  clock: Clock = createAwakeClock(),
): Promise<Gateway> {
  const logRefusal = createRefusalLog(log, () => performance.now());
  const metrics = createMetrics(
    logRefusal,
    createCrashLog(log, () => performance.now()),
  );
  const { telemetry } = metrics;
  const nodeId = settings.nodeId ?? makeId();
  const { cluster, failed } = await createCluster(settings, apps, { nodeId, log, clock, metrics });
  const hub = new Hub({
    apps: apps.map((app) => new App(app)),
    limits: settings.limits,
    clock,
    telemetry,
    nodeId,
    makeId,
    random: Math.random,
    replication: cluster,
  });
  metrics.observe(hub);
  const health = monitorProcess();
  const memory = monitorMemory((use) => {
    if (hub.memory.sample(use)) {
      if (hub.memory.isShort) log.warn(use, "short of memory, so nobody new is let in");
      else log.info(use, "enough memory again");
    }
    if (hub.memory.shouldCollect(hub.present)) memory.collect();
  });
  let isReady = false;
  let transport: Transport | undefined;
  const isProxy = (address: string) => settings.trustProxy(plainAddress(address), 0);
  const anonymous = new AnonymousRequests({ telemetry, now: () => clock.now(), isProxy });
  const describeNode = () => ({
    nodeId: hub.nodeId,
    version: VERSION,
    transport: transport?.name,
    ...health.read(),
  });
  const handle = createRouter(
    [
      ...presenceRoutes(hub, anonymous, describeNode),
      ...nodeRoutes({
        hub,
        anonymous,
        isProxy,
        isReady: () => isReady,
        renderMetrics: metrics.render,
        metricsToken: settings.metricsToken,
        version: VERSION,
        dashboard: readDashboard(DASHBOARD),
      }),
    ],
    anonymous,
  );
  try {
    transport = await listen(settings, log, {
      host: settings.host,
      port: settings.port,
      maxMessageBytes: settings.limits.maxMessageBytes,
      maxBufferedBytes: settings.limits.maxBufferedBytes,
      tcp: {
        maxConnections: settings.maxTcpConnections,
        maxPerAddress: settings.limits.maxConnectionsPerIp + LEFT_FOR_STRANGERS,
        isProxy,
        now: () => clock.now(),
      },
      bodies: new BodyBudget(memoryBytes()),
      tcpRefused: (reason) => telemetry.refused("tcp_connections", TCP_REFUSAL_DETAILS[reason]),
      bodyRefused: () => telemetry.refused("body_bytes"),
      refuseHandshake: (address, answer) =>
        // What is the node's own fault counts for nobody.
        answer.status >= 500 ? answer : anonymous.respond(address, () => answer),
      upgrade: (request) => answerUpgrade(hub, request),
      handle: (request) => handle(request, {}),
      clientAddress: (peer, forwardedFor) => clientAddress(peer, forwardedFor, settings.trustProxy),
      crashed: telemetry.crashed,
    });
  } catch (error) {
    hub.stop();
    health.stop();
    memory.stop();
    throw error;
  }
  isReady = true;
  cluster?.start(hub);
  const { name, port } = transport;
  log.info({ node: hub.nodeId, host: settings.host, port, transport: name, version: VERSION }, "started");
  const ofNode = nodeWarning(process.versions.node);
  if (ofNode !== undefined) log.warn(ofNode);
  for (const warning of settings.warnings) log.warn(warning);

  let stopped: Promise<void> | undefined;
  let hurry = () => {};
  const hurried = new Promise<void>((resolve) => {
    hurry = resolve;
  });
  return {
    hub,
    transport: name,
    port,
    crashed: telemetry.crashed,
    failed,
    stop() {
      if (stopped !== undefined) {
        // The second call: no more waiting, not even for requests in hand.
        hub.drain(0).then(hurry, telemetry.crashed);
        return stopped;
      }
      log.info({ connections: hub.admissions.connections }, "draining");
      stopped = (async () => {
        await hub.drain();
        await Promise.race([transport.close(), hurried]);
        hub.stop();
        health.stop();
        memory.stop();
        await cluster?.leave();
        log.info("stopped");
      })();
      return stopped;
    },
  };
}

interface ClusterDependencies {
  readonly nodeId: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/** The other nodes, if there are any to be: without Redis, nothing of it is loaded. */
async function createCluster(
  settings: Settings,
  apps: readonly AppConfig[],
  { nodeId, log, clock, metrics }: ClusterDependencies,
): Promise<{ readonly cluster: Cluster | undefined; readonly failed: Promise<SettingsError> }> {
  const { redisUrls, redisShards, redisLogBytes, nodeLeaseMs, limits } = settings;
  if (redisUrls === undefined) return { cluster: undefined, failed: new Promise(() => {}) };
  let fail: (error: SettingsError) => void;
  const failed = new Promise<SettingsError>((resolve) => {
    fail = resolve;
  });
  const { Cluster } = await import("./cluster/cluster.ts");
  const cluster = new Cluster({
    redisUrls,
    shards: redisShards,
    maxLogBytes: redisLogBytes,
    apps,
    nodeId,
    leaseMs: nodeLeaseMs,
    windowMs: limits.resumeWindowMs,
    clock,
    makeId,
    log,
    observeLag: metrics.observeLag,
    crashed: metrics.telemetry.crashed,
    taken: () => fail(new SettingsError(`NODE_ID ${JSON.stringify(nodeId)} is taken by another node`)),
  });
  metrics.observeCluster(cluster);
  return { cluster, failed };
}

interface ListenOptions extends Omit<TransportOptions, "tcp"> {
  readonly tcp: Omit<TcpSlotsOptions, "knowsConnections">;
}

async function listen(settings: Settings, log: Logger, options: ListenOptions): Promise<Transport> {
  const onWs = () => listenWs({ ...options, tcp: new TcpSlots({ ...options.tcp, knowsConnections: true }) });
  if (settings.transport === "ws") {
    log.info({ transport: "ws" }, "transport chosen by TRANSPORT");
    return await onWs();
  }
  const loaded = loadUws();
  if (loaded.uws !== undefined) {
    log.info({ transport: "uws", build: loaded.source }, "uWebSockets.js loaded");
    const tcp = new TcpSlots({ ...options.tcp, knowsConnections: false });
    return await listenUws(loaded.uws, { ...options, tcp });
  }
  if (settings.transport === "uws") {
    throw new SettingsError(
      `TRANSPORT=uws, but no build of uWebSockets.js loads here (${loaded.reasons.join("; ")})`,
    );
  }
  log.info({ transport: "ws", reasons: loaded.reasons }, "no build of uWebSockets.js loads here, using ws");
  return await onWs();
}

/** An address in one spelling: the transports write the same one in different ways. */
function plainAddress(text: string): string {
  return isPlainIpv4(text) || !ipaddr.isValid(text) ? text : ipaddr.process(text).toString();
}

/** A chain of more proxies of ours than this is made up, */
const MAX_HOPS = 32;
/** and so is a longer address, with its port. */
const MAX_HOP_LENGTH = 64;

/**
 * The address nearest to us that is not one of our own proxies. Each of them has added one at the end, and what stands
 * before those is what a client made up, of any length: it is not looked at.
 */
export function clientAddress(
  peerText: string,
  forwardedFor: string | undefined,
  trustProxy: Settings["trustProxy"],
): string {
  let address = plainAddress(peerText);
  let end = forwardedFor?.length ?? 0;
  for (let hop = 0; hop < MAX_HOPS && end > 0 && trustProxy(address, hop); hop++) {
    const start = forwardedFor!.lastIndexOf(",", end - 1) + 1;
    const text = withoutPort(forwardedFor!.slice(Math.max(start, end - MAX_HOP_LENGTH), end));
    if (text !== "") address = text;
    end = start - 1;
  }
  return address;
}

/** Some proxies write the client's port too, and each connection has another. */
function withoutPort(hop: string): string {
  return hop.trim().replace(/^(?:\[([\da-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/i, "$1$2");
}
