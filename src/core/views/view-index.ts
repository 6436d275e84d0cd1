import type { CustomIndex } from "../sessions/custom-index.ts";
import type { Custom } from "../sessions/session.ts";
import type { Change } from "../sessions/table.ts";
import type { CustomCondition } from "./compiled-filter.ts";
import type { View } from "./view.ts";

/** The views of one conversation (or of all), split by what they ask for: users, or values of `custom`. */
class IndexNode {
  readonly #everyone = new Set<View>();
  /** Most users are named by a single view, which needs no set. */
  readonly #byUser = new Map<string, View | Set<View>>();
  /** Views that name no users, by the values that they ask of one key. */
  readonly #byCustom = new Map<string, Map<string, Set<View>>>();
  readonly #customIndex: Pick<CustomIndex, "has">;

  constructor(customIndex: Pick<CustomIndex, "has">) {
    this.#customIndex = customIndex;
  }

  get isEmpty(): boolean {
    return this.#everyone.size === 0 && this.#byUser.size === 0 && this.#byCustom.size === 0;
  }

  add(view: View): void {
    const { userIds } = view.filter;
    const condition = this.#conditionOf(view);
    if (condition !== undefined) {
      const [key, values] = condition;
      const byValue = getOrAdd(this.#byCustom, key, () => new Map());
      for (const value of values) getOrAdd(byValue, value, () => new Set<View>()).add(view);
    } else if (userIds === undefined) this.#everyone.add(view);
    for (const userId of userIds ?? []) {
      const views = this.#byUser.get(userId);
      if (views === undefined) this.#byUser.set(userId, view);
      else if (views instanceof Set) views.add(view);
      else this.#byUser.set(userId, new Set([views, view]));
    }
  }

  remove(view: View): void {
    this.#everyone.delete(view);
    const [key, values] = this.#conditionOf(view) ?? [];
    if (key !== undefined) {
      const byValue = this.#byCustom.get(key);
      for (const value of values ?? []) {
        const views = byValue?.get(value);
        views?.delete(view);
        if (views?.size === 0) byValue!.delete(value);
      }
      if (byValue?.size === 0) this.#byCustom.delete(key);
    }
    for (const userId of view.filter.userIds ?? []) {
      const views = this.#byUser.get(userId);
      if (views instanceof Set) views.delete(view);
      if (views === view || (views instanceof Set && views.size === 0)) this.#byUser.delete(userId);
    }
  }

  visit(change: Change, visit: (view: View) => void): void {
    this.visitUnnamed(change, visit);
    this.visitNamed(change.user.userId, visit);
  }

  /** The views that name no users. */
  visitUnnamed(change: Change, visit: (view: View) => void): void {
    if (this.#everyone.size > 0) for (const view of this.#everyone) visit(view);
    if (this.#byCustom.size === 0) return;
    const { customFrom, customTo, user } = change;
    this.#visitCustom(customFrom, undefined, visit);
    if (customTo !== customFrom) this.#visitCustom(customTo, customFrom, visit);
    if (!concernsAllSessions(change)) return;
    for (const { custom } of user.sessions) this.#visitCustom(custom, undefined, visit);
  }

  /** Returns whether any view names this user. */
  visitNamed(userId: string, visit: (view: View) => void): boolean {
    if (this.#byUser.size === 0) return false;
    const views = this.#byUser.get(userId);
    if (views instanceof Set) for (const view of views) visit(view);
    else if (views !== undefined) visit(views);
    return views !== undefined;
  }

  /**
   * Looks up the keys that a session has, and not those that filters ask for, which may be many more. Values
   * that are in `seen` were looked up before.
   */
  #visitCustom(custom: Custom | undefined, seen: Custom | undefined, visit: (view: View) => void): void {
    for (const key in custom) {
      const value = custom[key]!;
      if (seen?.[key] !== value) this.#byCustom.get(key)?.get(value)?.forEach(visit);
    }
  }

  /** The condition by which a view is found: on an indexed key if there is one, as its values differ more. */
  #conditionOf({ filter: { userIds, custom } }: View): CustomCondition | undefined {
    if (userIds !== undefined) return undefined;
    return custom?.find(([key]) => this.#customIndex.has(key)) ?? custom?.[0];
  }
}

/**
 * Finds the views that a change can affect, first by conversation, then by user or by a value of `custom`,
 * without visiting any other view.
 */
export class ViewIndex {
  /** Views over all conversations. They are separate, as every change looks them up. */
  readonly #anywhere: IndexNode;
  readonly #conversations = new Map<string | null, IndexNode>();
  readonly #customIndex: Pick<CustomIndex, "has">;

  /** `customIndex`: which keys are indexed. */
  constructor(customIndex: Pick<CustomIndex, "has">) {
    this.#customIndex = customIndex;
    this.#anywhere = new IndexNode(customIndex);
  }

  get isEmpty(): boolean {
    return this.#conversations.size === 0 && this.#anywhere.isEmpty;
  }

  add(view: View): void {
    const { conversationId } = view.filter;
    if (conversationId === undefined) this.#anywhere.add(view);
    else getOrAdd(this.#conversations, conversationId, () => new IndexNode(this.#customIndex)).add(view);
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
    this.#anywhere.visitUnnamed(change, visit);
    if (!user.hasNoNamedViews) user.hasNoNamedViews = !this.#anywhere.visitNamed(user.userId, visit);
    if (this.#conversations.size === 0) return;
    if (from !== undefined) this.#conversations.get(from)?.visit(change, visit);
    if (to !== undefined && to !== from) this.#conversations.get(to)?.visit(change, visit);
    if (!concernsAllSessions(change)) return;
    // Each conversation is looked up once, however many sessions of the user are in it.
    const seen = new Set([from, to]);
    for (const { selectedConversationId: elsewhere } of user.sessions) {
      if (seen.has(elsewhere)) continue;
      seen.add(elsewhere);
      this.#conversations.get(elsewhere)?.visit(change, visit);
    }
  }
}

/** Whether a change concerns all sessions of the user, in whichever conversations they are. */
function concernsAllSessions({ visibilityFlipped, statusChanged }: Change): boolean {
  return visibilityFlipped || statusChanged;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
