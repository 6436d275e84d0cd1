import { isId } from "../protocol/rules.ts";
import { FOCUS_CHECK_MS } from "./limits.ts";
import type { WebSocketConstructor } from "./types.ts";

interface PageEvent {
  readonly type: string;
  readonly persisted?: boolean;
}
interface Document {
  readonly baseURI: string;
  readonly visibilityState?: string;
  readonly activeElement?: { readonly tagName: string } | null;
  hasFocus(): boolean;
  /** The names of the page's clients; one set for all copies of the SDK. */
  presenceClients?: Set<string>;
}
/**
 * The parts of a browser that are used, so that the SDK needs no DOM types and runs where there is no page.
 */
interface Browser {
  readonly document?: Document;
  readonly location?: { readonly href: string };
  readonly sessionStorage?: Storage;
  readonly WebSocket?: WebSocketConstructor;
  addEventListener?(
    type: string,
    listener: (event: PageEvent) => void,
    options: { readonly signal: unknown },
  ): void;
}
interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface PageListener {
  /** The page was brought to the front, thawed, or got the network back. */
  wake(): void;
  /** The page is left: for good, or until `pageshow`. */
  pagehide(): void;
  /** The page is there again as it was left. */
  pageshow(): void;
  /** Whether the user sees the page, and it has the focus. */
  focus(hasFocus: boolean): void;
}

export const browser = globalThis as Browser;

/** Tells what happens to the page. Returns a function that ends it. Does nothing where there is no page. */
export function watchPageLifecycle(listener: PageListener): () => void {
  const { document } = browser;
  if (!document) return () => {};
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const { wake } = listener;
  const look = (event?: PageEvent) => {
    clearTimeout(timer);
    listener.focus(pageHasFocus());
    // From inside a frame the focus leaves the window, and comes back, without an event here. The frame may
    // be in a custom element, and may become the active element only after the `blur`.
    const mayBeInFrame = event?.type === "blur" || /frame|-/i.test(document.activeElement?.tagName ?? "");
    if (mayBeInFrame && isVisible()) timer = setTimeout(look, FOCUS_CHECK_MS);
  };
  const heard = {
    online: wake,
    // A reason to check the connection: browsers also say it of networks that the gateway does not need.
    offline: wake,
    resume: wake,
    pagehide: listener.pagehide,
    pageshow({ persisted }: PageEvent) {
      if (persisted) listener.pageshow();
      look();
    },
    focus: look,
    blur: look,
    visibilitychange() {
      look();
      if (isVisible()) wake();
    },
  };
  // Those of the document bubble to the window.
  for (const [type, hear] of Object.entries(heard)) browser.addEventListener?.(type, hear, controller);
  look();
  return () => {
    controller.abort();
    clearTimeout(timer);
  };
}

export function isVisible(): boolean {
  return browser.document?.visibilityState === "visible";
}

/** False where there is no page. */
export function pageHasFocus(): boolean {
  return isVisible() && browser.document!.hasFocus();
}

/**
 * The names that the clients of this page have claimed, those of other copies of the SDK included. Where
 * there is no page, nothing outlives it, and all may have the same name.
 */
export function clientNames(): Set<string> {
  const page: Pick<Document, "presenceClients"> = browser.document ?? {};
  page.presenceClients ??= new Set();
  return page.presenceClients;
}

/**
 * Leaves an id for the next page of this tab. It is stored only while no page uses it: a tab that is
 * duplicated copies the storage, and must not find what the first tab still uses.
 */
export function stash(key: string, id: string): void {
  try {
    browser.sessionStorage!.setItem(key, id);
  } catch {
    // None, forbidden or full: the next page starts anew.
  }
}

/**
 * Takes the id that the page before has left, out of the storage. That belongs to everything that runs in the
 * page: a value that is no id is not from this SDK.
 */
export function unstash(key: string): string | undefined {
  try {
    const storage = browser.sessionStorage!;
    const id = storage.getItem(key);
    storage.removeItem(key);
    if (isId(id)) return id;
  } catch {
    // As if there were none.
  }
  return undefined;
}
