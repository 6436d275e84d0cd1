import type { Table } from "../../core/sessions/table.ts";
import type { ViewRegistry } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import type { GatewayConfig } from "./gateway-config.ts";
import type { RememberedUsers } from "./remembered-users.ts";
import type { ReplicationSink } from "./replication.ts";
import type { SessionDeadlines } from "./session-deadlines.ts";
import type { TransactionTime } from "./transaction-time.ts";
import type { TurnQuota } from "./turn-quota.ts";

/** What the classes that change the sessions of one app share. */
export interface SessionContext {
  readonly table: Table;
  readonly appId: string;
  /** Whether the app keeps when users were last seen. */
  readonly keepsLastSeen: () => boolean;
  readonly limits: Pick<GatewayConfig, "resumeWindowMs" | "maxSessionsPerUser" | "userRetentionDays">;
  /** Of the node. */
  readonly rememberedUsers: RememberedUsers;
  readonly makeId: () => string;
  readonly clock: Clock;
  readonly time: TransactionTime;
  readonly deadlines: SessionDeadlines;
  /** Marked by each change that a subscriber can see. */
  readonly views: Pick<ViewRegistry, "markDirty">;
  /** Replicates changes of this node to other nodes; undefined: there are none. */
  readonly replicationSink: ReplicationSink | undefined;
  /** How many sessions end at once with their sockets. Of the node. */
  readonly endQuota: Pick<TurnQuota, "take">;
}
