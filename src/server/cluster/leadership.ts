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
 * other begins. So two may lead only while one of them is cut off from Redis, and was evicted meanwhile or
 * came before Redis lost the log. It resigns as soon as it learns that. Then it joins again, which tells the
 * other one. Times are in milliseconds of the awake clock.
 */
export class Leadership {
  readonly #leaseMs: number;
  #leads = false;
  #terms = 0;
  #rivalUntil = Number.NEGATIVE_INFINITY;

  constructor(leaseMs: number) {
    this.#leaseMs = leaseMs;
  }

  /** Counts the times that this node began to lead; undefined while it does not. */
  get term(): number | undefined {
    return this.#leads ? this.#terms : undefined;
  }

  /**
   * Until when another node may have led too, as far as this node knows. That can be in the future: a node
   * that was cut off learns of this one within its lease, or is evicted, and then it joins again.
   */
  get rivalUntil(): number {
    return this.#rivalUntil;
  }

  update({ isWhole, hearsOthers, rank }: LeadershipView, now: number): void {
    if (!isWhole) return;
    if (rank > 0) this.#leads = false;
    else if (!this.#leads && hearsOthers) {
      this.#leads = true;
      this.#terms++;
      this.#rivalUntil = now + this.#leaseMs;
    }
  }

  /** Another node has joined. For all that this one knows, it led until it learned that it was evicted. */
  joinedByOther(now: number): void {
    this.#rivalUntil = Math.max(this.#rivalUntil, now);
  }

  /** The leases of the other nodes begin anew, so one that is cut off is evicted later. */
  leasesRestarted(now: number): void {
    if (now < this.#rivalUntil) this.#rivalUntil = now + this.#leaseMs;
  }

  /** This node was not in the register for a while, so another one may have led meanwhile. */
  resign(): void {
    this.#leads = false;
  }
}
