import type { Custom, Session } from "./session.ts";

const NONE: ReadonlySet<Session> = new Set();

/** Sessions by the values of a few keys of `custom`, so that a filter on such a value visits no others. */
export class CustomIndex {
  readonly #byKey: ReadonlyMap<string, Map<string, Set<Session>>>;

  constructor(keys: readonly string[]) {
    this.#byKey = new Map(keys.map((key) => [key, new Map()]));
  }

  /** How many pairs of key and value have a session. */
  get size(): number {
    let size = 0;
    for (const byValue of this.#byKey.values()) size += byValue.size;
    return size;
  }

  /** Whether sessions are indexed by this key. */
  has(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** The sessions whose `custom[key]` is `value`. */
  sessions(key: string, value: string): ReadonlySet<Session> {
    return this.#byKey.get(key)?.get(value) ?? NONE;
  }

  add(session: Session): void {
    this.#add(session, session.custom);
  }

  remove(session: Session): void {
    for (const [key, byValue] of this.#byKey) removeFrom(byValue, session.custom[key], session);
  }

  /** The `custom` of a session is about to become `to`. */
  move(session: Session, to: Custom): void {
    for (const [key, byValue] of this.#byKey) {
      if (session.custom[key] !== to[key]) removeFrom(byValue, session.custom[key], session);
    }
    this.#add(session, to);
  }

  #add(session: Session, custom: Custom): void {
    for (const [key, byValue] of this.#byKey) {
      const value = custom[key];
      if (value === undefined) continue;
      const sessions = byValue.get(value);
      if (sessions === undefined) byValue.set(value, new Set([session]));
      else sessions.add(session);
    }
  }
}

function removeFrom(byValue: Map<string, Set<Session>>, value: string | undefined, session: Session): void {
  if (value === undefined) return;
  const sessions = byValue.get(value);
  sessions?.delete(session);
  if (sessions?.size === 0) byValue.delete(value);
}
