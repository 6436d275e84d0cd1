import { LinkedMap } from "../../core/collections/linked-map.ts";
import { Queue } from "../../core/collections/queue.ts";
import { PAGE_MS, type TurnBudget } from "./turn-budget.ts";

/** A connection that sends long answers one page at a time. */
export interface PageSender {
  /** Senders of one party share its turns. The sockets of one user are one party. */
  readonly party: object;
  /** Whether there is a page to send, and room for it. */
  readonly canSendPage: boolean;
  sendPage(): void;
  /** `sendPage` threw `error`. */
  onFailure(error: unknown): void;
}

/** The most pages that a sender sends at once, if no other sender waits. */
const PAGES_AT_ONCE = 4;

/**
 * Sends the pages of long answers, a limited number in one turn of the event loop. Parties take turns, and so
 * do the senders of a party: a user with many sockets gets no more pages than a user with one.
 */
export class PageTurns {
  readonly #turn: TurnBudget;
  /** Waiting senders by party; the party whose turn is next in front. */
  readonly #parties = new LinkedMap<object, Queue<PageSender>>();

  constructor(turn: TurnBudget) {
    this.#turn = turn;
  }

  /** How many senders wait for their turn. */
  get size(): number {
    let size = 0;
    for (const [, senders] of this.#parties.entries()) size += senders.size;
    return size;
  }

  /** Sends pages now, if no sender waits and the turn has time left. The rest follows in later turns. */
  start(sender: PageSender): void {
    if (this.#parties.size === 0) this.#send(sender, PAGES_AT_ONCE);
    if (sender.canSendPage) this.#add(sender);
  }

  /** The sender has nothing more to send, or has gone. */
  remove(sender: PageSender): void {
    const senders = this.#parties.get(sender.party);
    if (senders?.delete(sender) && senders.size === 0) this.#parties.delete(sender.party);
  }

  #add(sender: PageSender): void {
    const senders = this.#parties.get(sender.party) ?? new Queue();
    senders.add(sender);
    this.#parties.set(sender.party, senders);
    this.#turn.onNextTurn(this.#run);
  }

  readonly #run = (): void => {
    try {
      while (this.#parties.size > 0 && !this.#turn.isSpent) {
        const { key: party, value: senders } = this.#parties.first!;
        const sender = senders.take()!;
        // Before it sends: sending may add senders of the same party.
        if (senders.size > 0) this.#parties.moveToEnd(party);
        else this.#parties.delete(party);
        this.#send(sender, 1);
        if (sender.canSendPage) this.#add(sender);
      }
    } finally {
      // Also if a sender has failed, and to end it failed too: the others still wait.
      if (this.#parties.size > 0) this.#turn.onNextTurn(this.#run);
    }
  };

  #send(sender: PageSender, pages: number): void {
    try {
      for (let n = 0; n < pages && sender.canSendPage && !this.#turn.isSpent; n++) {
        this.#turn.spend(PAGE_MS);
        sender.sendPage();
      }
    } catch (error) {
      sender.onFailure(error);
    }
  }
}
