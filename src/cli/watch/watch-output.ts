import type { PresenceChange, PresenceSnapshot, Status, StatusDetail } from "../../client/types.ts";

/** Where a watch shows what it sees. */
export interface WatchOutput {
  /** `problem`: why the connection was lost, if it was. */
  status(status: Status, detail: StatusDetail, problem: string | undefined): void;
  change(snapshot: PresenceSnapshot, change: PresenceChange): void;
  /** Leaves everything as it was found. */
  end(): void;
}
