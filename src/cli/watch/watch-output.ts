import type { PresenceChange, PresenceSnapshot, Status, StatusDetail } from "../../client/types.ts";

/** Shows the changes that `watch` receives. */
export interface WatchOutput {
  /** `problem`: why the connection was lost, if it was. */
  status(status: Status, detail: StatusDetail, problem: string | undefined): void;
  change(snapshot: PresenceSnapshot, change: PresenceChange): void;
  /** Restores the terminal. */
  end(): void;
}
