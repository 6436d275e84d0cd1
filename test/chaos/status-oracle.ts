// What users may be seen to have declared. Pure: it receives what was declared where, and what the gateway
// answered. The last writer wins, and nothing that was answered is lost, unless its node died at once.

export interface SaidStatus {
  readonly availability: string;
  readonly text?: string;
  readonly emoji?: string;
}

export interface Declaration {
  readonly status: SaidStatus;
  /** The node that was asked. */
  readonly place: string;
  /** When its answer came. */
  readonly at: number;
  /** It ends at some time between these two. */
  readonly expires?: { readonly from: number; readonly by: number };
  /** Whether other nodes hear of it within a second. Otherwise it is lost if the node dies. */
  readonly isHeard: boolean;
  /** Without an answer, it may have been done or not. */
  readonly isCertain: boolean;
}

export const NOTHING_SAID: SaidStatus = { availability: "available" };
/** How long other nodes may take to hear of it, and to find out that it is over. */
const HEARD_MS = 1_000;

export class StatusOracle {
  /** By user, since the last time at which all nodes agreed; the last one last. */
  readonly #declared = new Map<string, Declaration[]>();

  /** The user declares one thing after the other: the next only when this one was answered. */
  declared(userId: string, declaration: Declaration): void {
    const before = this.#declared.get(userId);
    if (before === undefined) this.#declared.set(userId, [declaration]);
    else before.push(declaration);
  }

  /** A node died: what nobody else had heard of is lost. */
  died(place: string, at: number): void {
    for (const [userId, declarations] of this.#declared) {
      const after = declarations.map((each) => {
        const isLost = each.place === place && !(each.isHeard && each.at + HEARD_MS < at);
        return isLost ? { ...each, isCertain: false } : each;
      });
      this.#declared.set(userId, after);
    }
  }

  /** All nodes died, and kept nothing. */
  forgotten(): void {
    this.#declared.clear();
  }

  /** What the user may be seen with: the last declaration that is certain, or one that came after it. */
  allowed(userId: string, at: number): SaidStatus[] {
    const declarations = this.#declared.get(userId) ?? [];
    const last = declarations.findLastIndex(({ isCertain }) => isCertain);
    const allowed = last === -1 ? [NOTHING_SAID] : [];
    for (const { status, expires } of declarations.slice(Math.max(last, 0))) {
      if (expires === undefined || at < expires.by + HEARD_MS) allowed.push(status);
      if (expires !== undefined && at >= expires.from) allowed.push(NOTHING_SAID);
    }
    return allowed;
  }

  /** All nodes agree on it. From now on it must not be lost, whichever node dies. */
  agreed(userId: string, status: SaidStatus, at: number): void {
    const declarations = this.#declared.get(userId) ?? [];
    const known = declarations.findLast((each) => isSaid(each.status, status));
    const expires = known?.expires;
    const agreed = { status, place: "all", at, isHeard: true, isCertain: true, ...(expires && { expires }) };
    this.#declared.set(userId, [agreed]);
  }
}

/** Whether both say the same, whenever it ends. */
export function isSaid(one: SaidStatus, other: SaidStatus): boolean {
  return one.availability === other.availability && one.text === other.text && one.emoji === other.emoji;
}
