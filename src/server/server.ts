import type { Logger } from "pino";
import { makeId } from "../core/ids.ts";
import type { AppConfig } from "./auth/app.ts";
import { fetchJwks } from "./auth/fetch-jwks.ts";
import type { FetchText, JwksEvents } from "./auth/jwks-source.ts";
import { JwksSources } from "./auth/jwks-sources.ts";
import { type Clock, createAwakeClock } from "./clock.ts";
import type { Cluster } from "./cluster/cluster.ts";
import type { LogSource } from "./cluster/log.ts";
import type { AppPresence } from "./gateway/app-presence.ts";
import { GatewayNode } from "./gateway/gateway-node.ts";
import { type TcpRefusal, TcpSlots, type TcpSlotsOptions } from "./gateway/tcp-slots.ts";
import type { Telemetry } from "./gateway/telemetry.ts";
import { answerUpgrade } from "./gateway/upgrade.ts";
import { AnonymousRequests } from "./http/anonymous-requests.ts";
import { statsOf } from "./http/app-stats.ts";
import { BodyBudget } from "./http/body-budget.ts";
import { clientAddress, plainAddress } from "./http/client-address.ts";
import { readDashboard } from "./http/dashboard.ts";
import { nodeRoutes } from "./http/node-routes.ts";
import { presenceRoutes } from "./http/presence-api.ts";
import { createRouter } from "./http/router.ts";
import { NodeApps } from "./node-apps.ts";
import { nodeWarning } from "./node-support.ts";
import { createCrashLog, createRefusalLog } from "./observability/log.ts";
import { createMetrics, type Metrics } from "./observability/metrics.ts";
import { monitorProcess } from "./observability/process-health.ts";
import { memoryBytes, monitorMemory } from "./observability/process-memory.ts";
import type { Settings } from "./settings/settings.ts";
import { SettingsError } from "./settings/settings-error.ts";
import { freePort } from "./transport/listen-error.ts";
import { balancesPorts } from "./transport/reuse-port.ts";
import type { Transport, TransportOptions } from "./transport/transport.ts";
import { loadUws } from "./transport/uws/load-uws.ts";
import { listenUws } from "./transport/uws/uws.ts";
import { listenWs } from "./transport/ws/ws.ts";
import { VERSION } from "./version.ts";
import { sendWebhook } from "./webhooks/send-webhook.ts";
import { Webhooks } from "./webhooks/webhooks.ts";
import type { WorkerLink } from "./workers/worker-link.ts";

/** The built dashboard. The path is valid for this file in `src` and in `dist`. */
const DASHBOARD = new URL("../../dist/dashboard/", import.meta.url);

/** TCP connections that an address may have for plain HTTP, in addition to its WebSockets. */
const EXTRA_TCP_PER_ADDRESS = 100;
/**
 * New connections a second that one address may make on `ws`, unless `MAX_CONNECTS_PER_SECOND` is more.
 * Connections that become WebSockets or show valid credentials do not count.
 */
const MIN_STRANGERS_PER_SECOND = 1_000;

/** What the log adds to the refusal of a TCP connection. */
const TCP_REFUSAL_DETAILS = {
  full: undefined,
  share_used: "the share of an address",
  too_often: "too many a second from an address",
} as const satisfies Readonly<Record<TcpRefusal, string | undefined>>;

export interface Gateway {
  readonly node: GatewayNode;
  readonly webhooks: Webhooks;
  readonly transport: Transport["name"];
  readonly port: number;
  /**
   * Serves these apps from now on, all or nothing.
   *
   * @throws SettingsError if an app differs in what cannot change while it runs.
   */
  reload(apps: readonly AppConfig[]): void;
  /** The apps could not be read anew. They stay as they are. */
  reloadFailed(reason: string): void;
  /** Counts and logs an exception that no handler has caught: a defect. */
  crashed(error: unknown): void;
  /** Resolves if this node must not run, because another node has its id. */
  readonly failed: Promise<SettingsError>;
  /**
   * Shuts down gently: tells each client when to reconnect, disconnects the clients over the drain time, and
   * answers the requests that are under way. A second call ends the rest at once.
   */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly clock?: Clock | undefined;
  /** Fetches the keys of identity providers. */
  readonly fetchText?: FetchText | undefined;
  /** The connection to the other workers; undefined: this is the only process. */
  readonly worker?: WorkerLink | undefined;
  /** The logs that the workers of this machine share; undefined: they are in Redis, or there are none. */
  readonly logs?: LogSource | undefined;
}

/**
 * Assembles a gateway and starts it. This is the only place that knows every part.
 *
 * @throws SettingsError if the chosen transport does not load; also what listening on the port throws.
 */
export async function startGateway(
  settings: Settings,
  apps: readonly AppConfig[],
  log: Logger,
  { clock = createAwakeClock(), fetchText = fetchJwks, worker, logs }: StartOptions = {},
): Promise<Gateway> {
  const logRefusal = createRefusalLog(log, () => performance.now());
  const metrics = createMetrics(
    logRefusal,
    createCrashLog(log, () => performance.now()),
  );
  const { telemetry } = metrics;
  const nodeId = settings.nodeId ?? makeId();
  const { cluster, failed } = await createCluster(settings, apps, { nodeId, log, clock, metrics, logs });
  const jwksSources = new JwksSources({
    fetchText,
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    events: jwksEvents(telemetry, log),
  });
  const nodeApps = new NodeApps({
    jwksSources,
    log,
    telemetry,
  });
  const node = new GatewayNode({
    apps: nodeApps.start(apps),
    limits: settings.limits,
    clock,
    telemetry,
    nodeId,
    makeId,
    random: Math.random,
    memoryLimit: memoryBytes(settings.workers),
    sharedLimits: worker,
    replication: cluster,
    joinsWrites: true,
  });
  metrics.observe(node);
  /** Without Redis, clients of the process before are still coming back until then. */
  let deliversFrom = Number.POSITIVE_INFINITY;
  const webhooks = new Webhooks({
    clock,
    makeId,
    random: Math.random,
    send: sendWebhook,
    log,
    crashed: telemetry.crashed,
    termOf: (appId) => {
      if (settings.redisUrls === undefined && clock.now() < deliversFrom) return undefined;
      return cluster === undefined ? 1 : cluster.leadershipOf(appId)?.term;
    },
    rivalUntil: (appId) => cluster?.leadershipOf(appId)?.rivalUntil ?? Number.NEGATIVE_INFINITY,
  });
  metrics.observeWebhooks(webhooks);
  const health = monitorProcess();
  const memory = monitorMemory(
    telemetry.crashed,
    (use) => {
      if (node.loadShedder.sample(use)) {
        if (node.loadShedder.isShort) log.warn(use, "short of memory: new clients are refused");
        else log.info(use, "enough memory again");
      }
      if (node.loadShedder.shouldCollect(node.present)) memory.collect();
    },
    settings.workers,
  );
  const isDevelopment = settings.apps === undefined;
  let isReady = false;
  let transport: Transport | undefined;
  const isProxy = (address: string) => settings.trustProxy(plainAddress(address), 0);
  const anonymous = new AnonymousRequests({ telemetry, now: () => clock.now(), isProxy, shared: worker });
  const bodies = new BodyBudget(memoryBytes(settings.workers));
  const ownStats = (presence: AppPresence) => statsOf(presence, webhooks.statuses(presence.app.id));
  worker?.serve({
    answer: (question) => {
      if (question.about === "metrics") return metrics.readJson();
      const presence = node.presence(question.appId);
      return presence && ownStats(presence);
    },
    takenByOthers: (key, amount) => {
      node.takenElsewhere(key, amount);
      anonymous.takenElsewhere(key, amount);
    },
  });
  const describeNode = () => ({
    nodeId: node.nodeId,
    version: VERSION,
    transport: transport?.name,
    ...health.read(),
  });
  const handle = createRouter(
    [
      ...presenceRoutes({
        node,
        anonymous,
        bodies,
        describeNode,
        statsOf: (presence) => worker?.readStats(presence.app.id) ?? ownStats(presence),
      }),
      ...nodeRoutes({
        node,
        anonymous,
        isProxy,
        // While a worker starts again, the others serve: a load balancer must not take all of them out.
        isReady: () => worker?.wasWhole ?? (isReady && node.isReady),
        isMissingWorkers: worker && (() => worker.isMissing),
        renderMetrics: () => worker?.readMetrics() ?? metrics.render(),
        metricsToken: settings.metricsToken,
        version: VERSION,
        dashboard: readDashboard(DASHBOARD),
        isDevelopment,
      }),
    ],
    anonymous,
  );
  try {
    transport = await listen(settings, log, {
      host: settings.host,
      port: settings.port,
      sharesPort: worker !== undefined,
      maxMessageBytes: settings.limits.maxMessageBytes,
      maxBufferedBytes: settings.limits.maxBufferedBytes,
      tcp: {
        maxConnections: settings.maxTcpConnections,
        maxPerAddress: settings.limits.maxConnectionsPerIp + EXTRA_TCP_PER_ADDRESS,
        isProxy,
        now: () => clock.now(),
      },
      bodies,
      tcpRefused: (reason) => telemetry.refused("tcp_connections", TCP_REFUSAL_DETAILS[reason]),
      bodyRefused: () => telemetry.refused("body_bytes"),
      refuseHandshake: (address, answer) =>
        // A failure of this node does not count against the address.
        answer.status >= 500 ? answer : anonymous.respond(address, () => answer),
      upgrade: (request) => answerUpgrade(node, request),
      handle: (request) => handle(request, {}),
      clientAddress: (peer, forwardedFor) => clientAddress(peer, forwardedFor, settings.trustProxy),
      crashed: telemetry.crashed,
    });
  } catch (error) {
    node.stop();
    health.stop();
    memory.stop();
    throw error;
  }
  isReady = true;
  cluster?.start(node);
  deliversFrom = clock.now() + (worker?.clientsReturnMs ?? settings.limits.resumeWindowMs);
  const applyWebhooks = (configs: readonly AppConfig[]) => {
    for (const { id, webhooks: wanted = [] } of configs) webhooks.apply(node.presence(id)!, wanted);
  };
  applyWebhooks(apps);
  const { name, port } = transport;
  log.info({ node: node.nodeId, host: settings.host, port, transport: name, version: VERSION }, "started");
  const nodeProblem = nodeWarning(process.versions.node);
  if (nodeProblem !== undefined) log.warn(nodeProblem);
  for (const warning of settings.warnings) log.warn(warning);

  let stopped: Promise<void> | undefined;
  let stopNow = () => {};
  const stoppedNow = new Promise<void>((resolve) => {
    stopNow = resolve;
  });
  return {
    node,
    webhooks,
    transport: name,
    port,
    reload(wanted) {
      const { removed } = nodeApps.reload(wanted, node, cluster);
      for (const { app } of removed) webhooks.remove(app.id);
      // All of them, because each reload switches on what was switched off.
      applyWebhooks(wanted);
    },
    reloadFailed(reason) {
      telemetry.appReloadFailures++;
      log.error({ reason }, "cannot read the apps anew: they stay as they are");
    },
    crashed: telemetry.crashed,
    failed,
    stop() {
      if (stopped !== undefined) {
        // The second call waits for nothing, not even for requests that are under way.
        node.drain(0).then(stopNow, telemetry.crashed);
        return stopped;
      }
      log.info({ connections: node.admissions.connections }, "draining");
      stopped = (async () => {
        // In development mode somebody waits at the keyboard, and nobody else serves the clients.
        await node.drain(isDevelopment && settings.redisUrls === undefined ? 0 : settings.limits.drainMs);
        await Promise.race([transport.close(), stoppedNow]);
        // Before another node begins to deliver.
        webhooks.stop();
        node.stop();
        health.stop();
        memory.stop();
        await cluster?.leave();
        log.info("stopped");
      })();
      return stopped;
    },
  };
}

/** The path and query of the URL may be secret. */
function jwksEvents(telemetry: Telemetry, log: Logger): JwksEvents {
  return {
    fetched(url, keys) {
      telemetry.jwksFetches++;
      const { host } = new URL(url);
      if (keys > 0) log.info({ host, keys }, "fetched the keys of an identity provider");
      else log.warn({ host }, "an identity provider has no key that tokens may be signed with");
    },
    failed(url, reason) {
      telemetry.jwksFailures++;
      const { host } = new URL(url);
      log.warn({ host, reason }, "cannot fetch the keys of an identity provider: the last ones stay");
    },
  };
}

interface ClusterDependencies {
  readonly logs: LogSource | undefined;
  readonly nodeId: string;
  readonly log: Logger;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

/**
 * This node's part in a cluster, if a Redis is configured or there are other workers. Otherwise no code of
 * the cluster is loaded.
 */
async function createCluster(
  settings: Settings,
  apps: readonly AppConfig[],
  { nodeId, log, clock, metrics, logs }: ClusterDependencies,
): Promise<{ readonly cluster: Cluster | undefined; readonly failed: Promise<SettingsError> }> {
  const { redisUrls, redisShards, redisLogBytes, nodeLeaseMs, limits } = settings;
  if (redisUrls === undefined && logs === undefined) {
    return { cluster: undefined, failed: new Promise(() => {}) };
  }
  let fail: (error: SettingsError) => void;
  const failed = new Promise<SettingsError>((resolve) => {
    fail = resolve;
  });
  const { Cluster } = await import("./cluster/cluster.ts");
  const redisLogs = async (urls: readonly string[]) =>
    new (await import("./cluster/redis-log-source.ts")).RedisLogSource({
      urls,
      maxLogBytes: redisLogBytes,
      maxProfiles: limits.maxRememberedUsers,
      warn: (details, message) => log.warn(details, message),
    });
  const cluster = new Cluster({
    logs: redisUrls === undefined ? logs! : await redisLogs(redisUrls),
    shards: redisShards,
    apps,
    nodeId,
    leaseMs: nodeLeaseMs,
    windowMs: limits.resumeWindowMs,
    retentionMs: limits.userRetentionDays * 86_400_000,
    clock,
    makeId,
    log,
    observeLag: metrics.observeLag,
    crashed: metrics.telemetry.crashed,
    nodeIdConflict: () =>
      fail(new SettingsError(`NODE_ID ${JSON.stringify(nodeId)} is taken by another node`)),
  });
  metrics.observeCluster(cluster);
  return { cluster, failed };
}

interface ListenOptions extends Omit<TransportOptions, "tcp"> {
  readonly tcp: Omit<TcpSlotsOptions, "knowsConnections" | "perSecondOfAddress">;
}

/** Listens with the transport that the settings ask for, or with the best one that loads. */
async function listen(settings: Settings, log: Logger, options: ListenOptions): Promise<Transport> {
  const { transport: wanted } = settings;
  // A port that the system chooses is not shared.
  if (options.sharesPort && options.port === 0) {
    return await listen(settings, log, { ...options, port: await freePort(options.host) });
  }
  if (wanted === "ws") {
    log.info({ transport: "ws" }, "transport chosen by TRANSPORT");
    return await listenOnWs(settings, options);
  }
  if (wanted === "auto" && options.sharesPort && !balancesPorts()) {
    log.info({ transport: "ws" }, "this system gives all connections of a port to one worker, using ws");
    return await listenOnWs(settings, options);
  }
  const loaded = loadUws();
  if (loaded.uws !== undefined) {
    log.info({ transport: "uws", build: loaded.source }, "uWebSockets.js loaded");
    const tcp = new TcpSlots({ ...options.tcp, knowsConnections: false });
    return await listenUws(loaded.uws, { ...options, tcp });
  }
  switch (wanted) {
    case "auto": {
      const { reasons } = loaded;
      log.info({ transport: "ws", reasons }, "no build of uWebSockets.js loads here, using ws");
      return await listenOnWs(settings, options);
    }
    case "uws":
      throw new SettingsError(
        `TRANSPORT=uws, but no build of uWebSockets.js loads here (${loaded.reasons.join("; ")})`,
      );
    default:
      return wanted satisfies never;
  }
}

async function listenOnWs({ limits }: Settings, options: ListenOptions): Promise<Transport> {
  const perSecondOfAddress = Math.max(MIN_STRANGERS_PER_SECOND, limits.maxConnectsPerSecond);
  const tcp = new TcpSlots({ ...options.tcp, knowsConnections: true, perSecondOfAddress });
  return await listenWs({ ...options, tcp });
}
