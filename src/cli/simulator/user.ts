import { setTimeout as sleep } from "node:timers/promises";
import { Tab, type TabOptions } from "./tab.ts";

export interface UserOptions extends Omit<TabOptions, "hasWidget" | "custom"> {
  readonly conversations: readonly string[];
}

const PLANS = ["free", "team", "business"];
const PAGES = ["/orders", "/billing", "/pricing", "/help/returns", "/settings/team", "/checkout"];
const TYPING_REPEAT_MS = 3_000;

/** A user with one or two tabs that reads, types, looks away, leaves, returns, and loses the network. */
export class SimulatedUser {
  readonly #options: UserOptions;
  readonly #tabs: readonly Tab[];
  #active: Tab;

  constructor(options: UserOptions) {
    this.#options = options;
    const isWatching = chance(0.9);
    const plan = pick(PLANS);
    const open = (hasWidget: boolean) =>
      new Tab({ ...options, hasWidget, custom: { plan, page: pick(PAGES) } });
    const tabs = [open(isWatching)];
    if (isWatching && chance(0.15)) tabs.push(open(chance(0.5)));
    this.#tabs = tabs;
    this.#active = tabs[0]!;
  }

  get tabs(): readonly Tab[] {
    return this.#tabs;
  }

  /** Acts until the signal aborts. */
  async live(): Promise<void> {
    const { signal } = this.#options;
    for (const tab of this.#tabs) this.#visit(tab).catch(ended);
    if (this.#active.hasWidget) {
      this.#active.update({ hasFocus: true, selectedConversationId: pick(this.#options.conversations) });
    }
    try {
      for (;;) {
        await sleep(between(1_000, 6_000), undefined, { signal });
        await this.#act();
      }
    } catch (error) {
      ended(error);
    }
  }

  async #act(): Promise<void> {
    const tab = this.#active;
    const { hasFocus } = tab.widget;
    const dice = Math.random();
    if (dice < 0.02) tab.drop();
    else if (dice < 0.05) tab.leave();
    else if (!tab.hasWidget) return;
    else if (dice < 0.2) tab.update({ hasFocus: !hasFocus, isTyping: false });
    else if (dice < 0.25) this.#switchTabs();
    else if (dice < 0.45) {
      tab.update({ selectedConversationId: pick(this.#options.conversations), isTyping: false });
    } else if (dice < 0.75 && hasFocus) await this.#type(tab);
  }

  /** Repeats the typing state, because the gateway ends it after a while. */
  async #type(tab: Tab): Promise<void> {
    const { signal } = this.#options;
    for (let left = between(1_000, 9_000); left > 0; left -= TYPING_REPEAT_MS) {
      tab.update({ isTyping: true });
      await sleep(Math.min(left, TYPING_REPEAT_MS), undefined, { signal });
    }
    tab.update({ isTyping: false });
  }

  #switchTabs(): void {
    const other = this.#tabs.find((tab) => tab !== this.#active && tab.hasWidget);
    if (other === undefined) return;
    this.#active.update({ hasFocus: false, isTyping: false });
    other.update({ hasFocus: true, selectedConversationId: pick(this.#options.conversations) });
    this.#active = other;
  }

  /** Opens a tab, and opens it again some time after it was closed. */
  async #visit(tab: Tab): Promise<void> {
    const { signal } = this.#options;
    while (!signal.aborted) {
      await tab.stay();
      await sleep(between(3_000, 15_000), undefined, { signal });
    }
  }
}

function chance(probability: number): boolean {
  return Math.random() < probability;
}

function between(min: number, max: number): number {
  return min + Math.random() * (max - min);
}

function pick<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() * list.length)]!;
}

/** An abort is not an error. */
function ended(error: unknown): void {
  if ((error as Error).name !== "AbortError") throw error;
}
