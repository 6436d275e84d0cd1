import type { Table } from "../../core/sessions/table.ts";
import type { Views } from "../../core/views/view-registry.ts";
import type { Clock } from "../clock.ts";
import type { Limits } from "./gateway-config.ts";
import type { Journal } from "./replication-sink.ts";
import type { SessionDeadlines } from "./session-deadlines.ts";
import type { TransactionTime } from "./transaction-time.ts";

/** What those who change the sessions of one app share. */
export interface SessionContext {
  readonly table: Table;
  readonly limits: Pick<Limits, "resumeWindowMs" | "maxSessionsPerUser">;
  readonly makeId: () => string;
  readonly clock: Clock;
  readonly time: TransactionTime;
  readonly deadlines: SessionDeadlines;
  /** Marked by each change that somebody can see. */
  readonly views: Pick<Views, "touch">;
  /** Where other nodes read of what happens here; undefined: there are none. */
  readonly journal: Journal | undefined;
}
