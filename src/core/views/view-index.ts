import type { Change } from "../sessions/table.ts";
import type { View } from "./view.ts";

/** The views of one conversation (or of all), split by the users that they name. */
class IndexNode {
  readonly #everyone = new Set<View>();
  /** Most users are named by a single view, which needs no set. */
  readonly #byUser = new Map<string, View | Set<View>>();

  get isEmpty(): boolean {
    return this.#everyone.size === 0 && this.#byUser.size === 0;
  }

  add(view: View): void {
    const { userIds } = view.filter;
    if (userIds === undefined) this.#everyone.add(view);
    for (const userId of userIds ?? []) {
      const views = this.#byUser.get(userId);
      if (views === undefined) this.#byUser.set(userId, view);
      else if (views instanceof Set) views.add(view);
      else this.#byUser.set(userId, new Set([views, view]));
    }
  }

  remove(view: View): void {
    this.#everyone.delete(view);
    for (const userId of view.filter.userIds ?? []) {
      const views = this.#byUser.get(userId);
      if (views instanceof Set) views.delete(view);
      if (views === view || (views instanceof Set && views.size === 0)) this.#byUser.delete(userId);
    }
  }

  visit(userId: string, visit: (view: View) => void): void {
    this.visitEveryone(visit);
    this.visitNamed(userId, visit);
  }

  visitEveryone(visit: (view: View) => void): void {
    if (this.#everyone.size > 0) for (const view of this.#everyone) visit(view);
  }

  /** Returns whether any view names this user. */
  visitNamed(userId: string, visit: (view: View) => void): boolean {
    if (this.#byUser.size === 0) return false;
    const views = this.#byUser.get(userId);
    if (views instanceof Set) for (const view of views) visit(view);
    else if (views !== undefined) visit(views);
    return views !== undefined;
  }
}

/**
 * Finds the views that a change can affect, first by conversation, then by user, without visiting any other
 * view.
 */
export class ViewIndex {
  /** Views over all conversations. They are separate, as every change looks them up. */
  readonly #anywhere = new IndexNode();
  readonly #conversations = new Map<string | null, IndexNode>();

  get isEmpty(): boolean {
    return this.#conversations.size === 0 && this.#anywhere.isEmpty;
  }

  add(view: View): void {
    const { conversationId } = view.filter;
    if (conversationId === undefined) return this.#anywhere.add(view);
    let node = this.#conversations.get(conversationId);
    if (node === undefined) {
      node = new IndexNode();
      this.#conversations.set(conversationId, node);
    }
    node.add(view);
  }

  remove(view: View): void {
    const { conversationId } = view.filter;
    if (conversationId === undefined) return this.#anywhere.remove(view);
    const node = this.#conversations.get(conversationId);
    node?.remove(view);
    if (node?.isEmpty) this.#conversations.delete(conversationId);
  }

  /** Calls back for each view that the change can affect, perhaps more than once. */
  forEachAffected(change: Change, visit: (view: View) => void): void {
    const { user, from, to } = change;
    const { userId } = user;
    this.#anywhere.visitEveryone(visit);
    if (!user.hasNoNamedViews) user.hasNoNamedViews = !this.#anywhere.visitNamed(userId, visit);
    if (this.#conversations.size === 0) return;
    if (from !== undefined) this.#conversations.get(from)?.visit(userId, visit);
    if (to !== undefined && to !== from) this.#conversations.get(to)?.visit(userId, visit);
    if (!change.visibilityFlipped) return;
    // The user's background sessions count differently now, in whichever conversations they are. Each
    // conversation is looked up once, however many sessions of the user are in it.
    const seen = new Set([from, to]);
    for (const { selectedConversationId: elsewhere } of user.sessions) {
      if (seen.has(elsewhere)) continue;
      seen.add(elsewhere);
      this.#conversations.get(elsewhere)?.visit(userId, visit);
    }
  }
}
