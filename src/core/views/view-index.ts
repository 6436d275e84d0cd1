import type { CustomIndex } from "../sessions/custom-index.ts";
import type { Change } from "../sessions/table.ts";
import type { CustomCondition } from "./compiled-filter.ts";
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
 * Finds the views that a change can affect, first by conversation or by a value of `custom`, then by user,
 * without visiting any other view.
 */
export class ViewIndex {
  /** Views over all conversations. They are separate, as every change looks them up. */
  readonly #anywhere = new IndexNode();
  readonly #conversations = new Map<string | null, IndexNode>();
  /** Views over all conversations and users that ask for values of an indexed key of `custom`. */
  readonly #customs = new Map<string, Map<string, Set<View>>>();
  readonly #customIndex: Pick<CustomIndex, "has">;

  /** `customIndex`: which keys are indexed. They are few, as each change looks up its value of each. */
  constructor(customIndex: Pick<CustomIndex, "has">) {
    this.#customIndex = customIndex;
  }

  get isEmpty(): boolean {
    return this.#conversations.size === 0 && this.#customs.size === 0 && this.#anywhere.isEmpty;
  }

  add(view: View): void {
    const { conversationId } = view.filter;
    const condition = this.#conditionOf(view);
    if (conversationId !== undefined) getOrAdd(this.#conversations, conversationId, newNode).add(view);
    else if (condition === undefined) this.#anywhere.add(view);
    else {
      const [key, values] = condition;
      const byValue = getOrAdd(this.#customs, key, () => new Map());
      for (const value of values) getOrAdd(byValue, value, () => new Set<View>()).add(view);
    }
  }

  remove(view: View): void {
    const { conversationId } = view.filter;
    const condition = this.#conditionOf(view);
    if (conversationId !== undefined) {
      const node = this.#conversations.get(conversationId);
      node?.remove(view);
      if (node?.isEmpty) this.#conversations.delete(conversationId);
    } else if (condition === undefined) this.#anywhere.remove(view);
    else {
      const [key, values] = condition;
      const byValue = this.#customs.get(key);
      for (const value of values) {
        const views = byValue?.get(value);
        views?.delete(view);
        if (views?.size === 0) byValue!.delete(value);
      }
      if (byValue?.size === 0) this.#customs.delete(key);
    }
  }

  /** Calls back for each view that the change can affect, perhaps more than once. */
  forEachAffected(change: Change, visit: (view: View) => void): void {
    const { user, from, to } = change;
    const { userId } = user;
    this.#anywhere.visitEveryone(visit);
    if (!user.hasNoNamedViews) user.hasNoNamedViews = !this.#anywhere.visitNamed(userId, visit);
    if (this.#customs.size > 0) this.#visitCustoms(change, visit);
    if (this.#conversations.size === 0) return;
    if (from !== undefined) this.#conversations.get(from)?.visit(userId, visit);
    if (to !== undefined && to !== from) this.#conversations.get(to)?.visit(userId, visit);
    if (!concernsAllSessions(change)) return;
    // Each conversation is looked up once, however many sessions of the user are in it.
    const seen = new Set([from, to]);
    for (const { selectedConversationId: elsewhere } of user.sessions) {
      if (seen.has(elsewhere)) continue;
      seen.add(elsewhere);
      this.#conversations.get(elsewhere)?.visit(userId, visit);
    }
  }

  /** The condition by which a view over all users is found. */
  #conditionOf({ filter }: View): CustomCondition | undefined {
    if (filter.userIds !== undefined) return undefined;
    return filter.custom?.find(([key]) => this.#customIndex.has(key));
  }

  #visitCustoms(change: Change, visit: (view: View) => void): void {
    const { customFrom, customTo, user } = change;
    for (const [key, byValue] of this.#customs) {
      const before = customFrom?.[key];
      const after = customTo?.[key];
      if (before !== undefined) byValue.get(before)?.forEach(visit);
      if (after !== undefined && after !== before) byValue.get(after)?.forEach(visit);
      if (!concernsAllSessions(change)) continue;
      const seen = new Set([before, after]);
      for (const { custom } of user.sessions) {
        const value = custom[key];
        if (value === undefined || seen.has(value)) continue;
        seen.add(value);
        byValue.get(value)?.forEach(visit);
      }
    }
  }
}

/** Whether a change concerns all sessions of the user, in whichever conversations they are. */
function concernsAllSessions({ visibilityFlipped, statusChanged }: Change): boolean {
  return visibilityFlipped || statusChanged;
}

const newNode = () => new IndexNode();

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
