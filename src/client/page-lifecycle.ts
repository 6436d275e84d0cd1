/**
 * The parts of a browser that are used, so that the SDK needs no DOM types and runs where there is no page.
 */
interface Listenable {
  addEventListener(type: string, listener: (event: { persisted?: boolean }) => void): void;
  removeEventListener(type: string, listener: (event: { persisted?: boolean }) => void): void;
}
interface Browser extends Partial<Listenable> {
  readonly document?: Listenable & { readonly visibilityState?: string; hasFocus(): boolean };
  readonly sessionStorage?: Storage;
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

const browser = globalThis as Browser;

/** Tells what happens to the page. Returns a function that ends it. Does nothing where there is no page. */
export function watchPageLifecycle(listener: PageListener): () => void {
  const { document } = browser;
  if (!document || !browser.addEventListener) return () => {};
  const window = browser as Listenable;
  const focus = () => listener.focus(pageHasFocus());
  const visibility = () => {
    focus();
    if (document.visibilityState === "visible") listener.wake();
  };
  const shown = ({ persisted }: { persisted?: boolean }) => {
    if (persisted) listener.pageshow();
    focus();
  };
  const each = (change: "addEventListener" | "removeEventListener") => {
    // `offline` is a reason to check the connection: browsers also say it of networks that the gateway does
    // not need.
    for (const type of ["online", "offline"]) window[change](type, listener.wake);
    for (const type of ["focus", "blur"]) window[change](type, focus);
    window[change]("pagehide", listener.pagehide);
    window[change]("pageshow", shown);
    document[change]("visibilitychange", visibility);
    document[change]("resume", listener.wake);
  };
  each("addEventListener");
  return () => each("removeEventListener");
}

/** False where there is no page. */
export function pageHasFocus(): boolean {
  const { document } = browser;
  return document?.visibilityState === "visible" && document.hasFocus();
}

/**
 * Leaves a value for the next page of this tab. It is stored only while no page uses it: a tab that is
 * duplicated copies the storage, and must not find what the first tab still uses.
 */
export function stash(key: string, value: string): void {
  try {
    browser.sessionStorage?.setItem(key, value);
  } catch {
    // Forbidden or full: the next page starts anew.
  }
}

/** Takes the value that the page before has left, out of the storage. */
export function unstash(key: string): string | null | undefined {
  try {
    const value = browser.sessionStorage?.getItem(key);
    browser.sessionStorage?.removeItem(key);
    return value;
  } catch {
    return undefined;
  }
}
