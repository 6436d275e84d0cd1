import type { Change } from "../sessions/table.ts";
import type { CompiledFilter } from "./compiled-filter.ts";
import type { View } from "./view.ts";

/** The views of one conversation (or of any), parted by the users that they ask for. */
interface Branch<Holder> {
  readonly everyone: Set<View<Holder>>;
  readonly byUser: Map<string, Set<View<Holder>>>;
}

/**
 * Finds the views that a change can touch, first by conversation, then by user, without looking at any other. Views
 * that ask for any conversation are under `undefined`.
 */
export class ViewIndex<Holder> {
  readonly #branches = new Map<string | null | undefined, Branch<Holder>>();

  get isEmpty(): boolean {
    return this.#branches.size === 0;
  }

  add(view: View<Holder>): void {
    const { conversationId, userIds } = view.filter;
    let branch = this.#branches.get(conversationId);
    if (branch === undefined) {
      branch = { everyone: new Set(), byUser: new Map() };
      this.#branches.set(conversationId, branch);
    }
    if (userIds === undefined) branch.everyone.add(view);
    else {
      for (const userId of userIds) {
        const views = branch.byUser.get(userId);
        if (views === undefined) branch.byUser.set(userId, new Set([view]));
        else views.add(view);
      }
    }
  }

  remove(view: View<Holder>): void {
    const { conversationId, userIds } = view.filter;
    const branch = this.#branches.get(conversationId);
    if (branch === undefined) return;
    branch.everyone.delete(view);
    for (const userId of userIds ?? []) {
      const views = branch.byUser.get(userId);
      views?.delete(view);
      if (views?.size === 0) branch.byUser.delete(userId);
    }
    if (branch.everyone.size === 0 && branch.byUser.size === 0) this.#branches.delete(conversationId);
  }

  /** Calls back for each view that the change can touch, perhaps more than once. */
  forEachTouched(change: Change<Holder>, visit: (view: View<Holder>) => void): void {
    const { user, from, to } = change;
    this.#visit(undefined, user.userId, visit);
    if (from !== undefined) this.#visit(from, user.userId, visit);
    if (to !== undefined && to !== from) this.#visit(to, user.userId, visit);
    if (!change.visibilityFlipped) return;
    // Background sessions of the user count otherwise now, in whichever conversation they are.
    for (const { selectedConversationId: elsewhere } of user.sessions) {
      if (elsewhere !== from && elsewhere !== to) this.#visit(elsewhere, user.userId, visit);
    }
  }

  #visit(
    conversationId: CompiledFilter["conversationId"],
    userId: string,
    visit: (view: View<Holder>) => void,
  ): void {
    const branch = this.#branches.get(conversationId);
    if (branch === undefined) return;
    for (const view of branch.everyone) visit(view);
    const views = branch.byUser.get(userId);
    if (views !== undefined) for (const view of views) visit(view);
  }
}
