import { IDLE_AFTER_MS } from "./limits.ts";
import { now } from "./pace.ts";
import { browser, isVisible } from "./page-lifecycle.ts";
import type { Session } from "./types.ts";

/** What shows that somebody is there. */
const EVENTS = ["pointerdown", "pointermove", "wheel", "touchstart", "keydown", "focus", "visibilitychange"];

export interface IdleOptions {
  /** The session is idle when nobody has touched the page for so long, in milliseconds: 5 minutes. */
  readonly afterMs?: number | undefined;
}

/**
 * The session says by itself whether it is idle: nobody has touched the page for a while, or the page is
 * hidden. While it is hidden nothing runs. Returns a function that ends it. Does nothing where there is no
 * page. With `useSession` of React: `useEffect(() => trackIdle(session), [session])`.
 */
export function trackIdle(session: Pick<Session, "set">, options: IdleOptions = {}): () => void {
  const { afterMs = IDLE_AFTER_MS } = options;
  if (!browser.document) return () => {};
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let touchedAt = 0;
  let isIdle: boolean | undefined;

  function set(value: boolean): void {
    if (value === isIdle) return;
    isIdle = value;
    session.set({ isIdle });
  }

  /** Runs at most once in `afterMs`: an event only notes its time. */
  function look(): void {
    const leftMs = touchedAt + afterMs - now();
    timer = undefined;
    if (leftMs > 0) timer = setTimeout(look, leftMs);
    else set(true);
  }

  function touched(): void {
    if (!isVisible()) {
      clearTimeout(timer);
      timer = undefined;
      // It is idle for others at once: nobody sees a page that is hidden.
      return set(true);
    }
    touchedAt = now();
    set(false);
    timer ??= setTimeout(look, afterMs);
  }

  for (const type of EVENTS) browser.addEventListener?.(type, touched, controller);
  touched();
  return () => {
    controller.abort();
    clearTimeout(timer);
    set(false);
  };
}
