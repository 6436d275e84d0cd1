import type { PresenceChange, PresenceSnapshot, Status, StatusDetail } from "../../client/types.ts";
import { firstIds, HEADER, sessionsOf, toRow } from "../presence-rows.ts";
import { renderTable } from "../table.ts";
import type { Screen, ScreenLine } from "./screen.ts";
import type { WatchOutput } from "./watch-output.ts";

export interface LiveState {
  readonly title: string;
  readonly status: string;
  /** Undefined before the first snapshot. */
  readonly snapshot: PresenceSnapshot | undefined;
}

/** Lines around the rows: title, counts, an empty line, the header, and the number of hidden users. */
const FRAME_LINES = 5;

/** The lines of the screen, with as many users as fit. */
export function renderLive(state: LiveState, columns: number, rows: number): ScreenLine[] {
  const { title, status, snapshot } = state;
  const top = { text: `${title} · ${status}`, isBold: true };
  if (snapshot === undefined) return [top];
  let typing = 0;
  let focused = 0;
  for (const value of snapshot.values()) {
    const { isTyping, hasFocus } = sessionsOf(value);
    if (isTyping) typing++;
    if (hasFocus) focused++;
  }
  const count = { text: `${snapshot.size} online · ${focused} looking · ${typing} typing` };
  const ids = firstIds(snapshot, Math.max(0, rows - FRAME_LINES));
  const [header, ...body] = renderTable(
    HEADER,
    ids.map((id) => toRow(id, snapshot.get(id)!)),
    columns,
  );
  const hidden = snapshot.size - ids.length;
  return [
    top,
    count,
    { text: "" },
    { text: header!, isBold: true },
    ...body.map((text) => ({ text })),
    ...(hidden > 0 ? [{ text: `… and ${hidden} more` }] : []),
  ];
}

const REDRAW_MS = 200;
const TICK_MS = 1_000;

/** Output for people: a table that is redrawn in place, at most a few times per second. */
export class LiveTable implements WatchOutput {
  readonly #screen: Screen;
  readonly #title: string;
  readonly #tick: NodeJS.Timeout;
  #snapshot: PresenceSnapshot | undefined;
  #status: Status = "connecting";
  #problem: string | undefined;
  #retryAt: number | undefined;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #drawing: NodeJS.Timeout | undefined;

  constructor(screen: Screen, title: string) {
    this.#screen = screen;
    this.#title = title;
    // Updates the countdown to the next retry, and removes what pressed keys have left on the screen.
    this.#tick = setInterval(() => this.redraw(), TICK_MS);
  }

  status(status: Status, { retryInMs }: StatusDetail, problem: string | undefined): void {
    this.#status = status;
    this.#problem = problem;
    this.#retryAt = retryInMs === undefined ? undefined : performance.now() + retryInMs;
    this.redraw();
  }

  change(snapshot: PresenceSnapshot, _change: PresenceChange): void {
    this.#snapshot = snapshot;
    this.redraw();
  }

  /** Schedules a drawing: at once if the last one is long enough ago, otherwise soon. */
  redraw(): void {
    if (this.#drawing !== undefined) return;
    const wait = Math.max(0, this.#drawnAt + REDRAW_MS - performance.now());
    this.#drawing = setTimeout(() => {
      this.#drawing = undefined;
      this.#draw();
      // Measured from the end of the drawing, so a slow terminal leaves time for other work.
      this.#drawnAt = performance.now();
    }, wait);
  }

  end(): void {
    clearInterval(this.#tick);
    clearTimeout(this.#drawing);
    // Prevents further drawings.
    this.#drawing = this.#tick;
    this.#screen.leave();
  }

  #draw(): void {
    const { columns, rows } = this.#screen.size;
    const state = { title: this.#title, status: this.#statusText(), snapshot: this.#snapshot };
    this.#screen.draw(renderLive(state, columns, rows));
  }

  #statusText(): string {
    if (this.#status !== "reconnecting") return this.#status;
    const seconds =
      this.#retryAt === undefined ? 0 : Math.max(0, Math.ceil((this.#retryAt - performance.now()) / 1000));
    const next = seconds > 0 ? `, next try in ${seconds} s` : "";
    return `reconnecting (${this.#problem ?? "the connection was closed"})${next}: this may be old`;
  }
}
