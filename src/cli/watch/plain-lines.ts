import type { PresenceChange, PresenceSnapshot, Status, StatusDetail } from "../../client/types.ts";
import { toPhrase } from "../presence-rows.ts";
import { visible } from "../terminal-text.ts";
import type { WatchOutput } from "./watch-output.ts";

/** Output for logs and terminals that cannot redraw: one line per change. */
export class PlainLines implements WatchOutput {
  readonly #write: (text: string) => void;
  readonly #now: () => Date;
  #isFirst = true;
  #isLost = false;

  constructor(write: (text: string) => void, now: () => Date) {
    this.#write = write;
    this.#now = now;
  }

  status(status: Status, _detail: StatusDetail, problem: string | undefined): void {
    if (this.#isLost ? status !== "connected" : status !== "reconnecting") return;
    this.#isLost = !this.#isLost;
    this.#line(this.#isLost ? `connection lost (${problem ?? "closed"}), reconnecting` : "connected again");
  }

  change(snapshot: PresenceSnapshot, { entered, updated, left }: PresenceChange): void {
    if (this.#isFirst && snapshot.size === 0) this.#line("nobody");
    const verb = this.#isFirst ? "is there" : "entered";
    this.#isFirst = false;
    for (const { userId, cause } of left) this.#line(`${userId} left: ${cause}`);
    for (const userId of entered) this.#line(`${userId} ${verb}: ${toPhrase(snapshot.get(userId)!)}`);
    for (const userId of updated) this.#line(`${userId} changed: ${toPhrase(snapshot.get(userId)!)}`);
  }

  end(): void {}

  #line(text: string): void {
    this.#write(`${this.#now().toTimeString().slice(0, 8)} ${visible(text)}\n`);
  }
}
