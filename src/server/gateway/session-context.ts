import type { Table } from "../../core/sessions/table.ts";
import type { ViewRegistry } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import type { ReplicationSink } from "./replication-sink.ts";
import type { SessionDeadlines } from "./session-deadlines.ts";
import type { TransactionTime } from "./transaction-time.ts";

/** What those who change the sessions of one app share. */
export interface SessionContext {
  readonly table: Table;
  readonly limits: Pick<GatewayConfig, "resumeWindowMs" | "maxSessionsPerUser">;
  readonly makeId: () => string;
  readonly clock: Clock;
  readonly time: TransactionTime;
  readonly deadlines: SessionDeadlines;
  /** Marked by each change that somebody can see. */
  readonly views: Pick<ViewRegistry, "markDirty">;
  /** Where other nodes read of what happens here; undefined: there are none. */
  readonly replicationSink: ReplicationSink | undefined;
}
