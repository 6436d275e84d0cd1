import type { PresenceChange, PresenceSnapshot, Status, StatusDetail } from "../../client/types.ts";
import { toData } from "../presence-rows.ts";
import { visibleJson } from "../terminal-text.ts";
import type { WatchOutput } from "./watch-output.ts";

/**
 * Output for programs: a line with the first snapshot, then one line per user that entered, changed or left.
 */
export class JsonLines implements WatchOutput {
  readonly #write: (text: string) => void;
  #isFirst = true;
  #isLost = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Reports a lost connection, because earlier lines may be outdated until it returns. */
  status(status: Status, _detail: StatusDetail, problem: string | undefined): void {
    if (this.#isLost ? status !== "connected" : status !== "reconnecting") return;
    this.#isLost = !this.#isLost;
    this.#line({ type: "status", status, ...(this.#isLost && problem !== undefined && { problem }) });
  }

  change(snapshot: PresenceSnapshot, { entered, updated, left }: PresenceChange): void {
    if (this.#isFirst) {
      this.#isFirst = false;
      this.#line({ type: "snapshot", data: toData(snapshot) });
      return;
    }
    for (const { userId, cause } of left) this.#line({ type: "left", userId, cause });
    for (const userId of entered) this.#line({ type: "entered", userId, value: snapshot.get(userId) });
    for (const userId of updated) this.#line({ type: "updated", userId, value: snapshot.get(userId) });
  }

  end(): void {}

  #line(value: unknown): void {
    this.#write(`${visibleJson(value)}\n`);
  }
}
