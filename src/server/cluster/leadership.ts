/** What a node knows when it finds out whether it leads. */
export interface LeadershipView {
  /** Whether this node shows what all others show, and they are told what it does. */
  readonly isWhole: boolean;
  /** Whether this node has heard of the others for long enough to tell which of them are alive. */
  readonly hearsOthers: boolean;
  /** How many live nodes have a name as a writer before this node's. */
  readonly rank: number;
}

/**
 * Whether this node does for all nodes what only one of them has to do. The live node with the first name
 * leads. Nodes read in one log who has come and who was evicted, so they agree on it, and names begin with
 * the start of the process, so a node that comes does not take over from one that leads.
 *
 * A node that does not hear of the others stays what it was: while Redis is away the leader goes on, and no
 * other begins. So two may lead only while one of them is cut off from Redis and was evicted meanwhile. It
 * resigns as soon as it learns that.
 */
export class Leadership {
  #leads = false;
  #terms = 0;

  /** Counts the times that this node began to lead; undefined while it does not. */
  get term(): number | undefined {
    return this.#leads ? this.#terms : undefined;
  }

  update({ isWhole, hearsOthers, rank }: LeadershipView): void {
    if (!isWhole) return;
    if (rank > 0) this.#leads = false;
    else if (!this.#leads && hearsOthers) {
      this.#leads = true;
      this.#terms++;
    }
  }

  /** The others have declared this node dead, so another one has led meanwhile. */
  resign(): void {
    this.#leads = false;
  }
}
