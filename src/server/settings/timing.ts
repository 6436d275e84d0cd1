import type { GatewayConfig } from "../gateway/gateway-config.ts";

/**
 * The times that must fit each other: for several nodes to be one gateway, and for one node to go down
 * gently.
 */
export interface Timing {
  readonly limits: Pick<GatewayConfig, "drainMs" | "heartbeatIntervalMs" | "resumeWindowMs">;
  /** undefined: there are no other nodes. */
  readonly nodeLeaseMs: number | undefined;
  /** How long the supervisor waits between SIGTERM and SIGKILL; undefined if it is not known. */
  readonly terminationGraceMs: number | undefined;
}

/**
 * After the drain: requests in hand, the goodbye to the other nodes (2 s), the last lines of the log (0.5 s).
 */
const AFTER_DRAIN_MS = 5_000;
/** A heartbeat every 2 s, 2 s until a lost command is noticed, 1 s to connect again. */
const SAFE_LEASE_MS = 5_000;
/** How long a client of the SDK waits for an answer before it treats its node as gone. */
const CLIENT_TIMEOUT_MS = 5_000;

/** Why these times cannot work, and what to change; undefined if they can. */
export function timingProblem({ limits, terminationGraceMs }: Timing): string | undefined {
  const { drainMs } = limits;
  const downMs = drainMs + AFTER_DRAIN_MS;
  if (terminationGraceMs !== undefined && terminationGraceMs < downMs) {
    return (
      `TERMINATION_GRACE_MS is ${terminationGraceMs}, but this node needs DRAIN_MS (${drainMs}) ` +
      `and ${AFTER_DRAIN_MS} to go down: raise it to ${downMs}, here and where the process is run, ` +
      "or lower DRAIN_MS"
    );
  }
  return undefined;
}

/** Times that work only until something goes wrong, a line for each. */
export function timingWarnings({ limits, nodeLeaseMs }: Timing): string[] {
  const { heartbeatIntervalMs, resumeWindowMs } = limits;
  const warnings: string[] = [];
  if (nodeLeaseMs === undefined) return warnings;
  if (nodeLeaseMs < SAFE_LEASE_MS) {
    warnings.push(
      "NODE_LEASE_MS is under 5 s: a pause of a node, or of its network, will be taken for its death",
    );
  }
  // A client learns that its node has died when a heartbeat stays without an answer. By then its sessions
  // must not have ended.
  if (heartbeatIntervalMs + CLIENT_TIMEOUT_MS >= nodeLeaseMs + resumeWindowMs) {
    warnings.push(
      `clients of a node that is cut off notice after HEARTBEAT_INTERVAL_MS and ${CLIENT_TIMEOUT_MS}, ` +
        "which is not before NODE_LEASE_MS and RESUME_WINDOW_MS are over: they will show as gone, " +
        "so lower the first or raise one of the others",
    );
  }
  return warnings;
}
