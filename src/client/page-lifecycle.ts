/** The parts of a browser that are used, so that the SDK needs no DOM types and runs where there is no page. */
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
  /** It was brought to the front, thawed, or got the network back. */
  awake(): void;
  /** It is left: for good, or until `shown`. */
  hidden(): void;
  /** It is there again as it was left. */
  shown(): void;
  /** Whether the user sees it, and it has the focus. */
  focused(hasFocus: boolean): void;
}

const browser = globalThis as Browser;

/** Tells what happens to the page; returns a function that ends it. Does nothing where there is no page. */
export function watchPage(listener: PageListener): () => void {
  const { document } = browser;
  if (document === undefined || browser.addEventListener === undefined) return () => {};
  const window = browser as Listenable;
  const focus = () => listener.focused(pageHasFocus());
  const visibility = () => {
    focus();
    if (document.visibilityState === "visible") listener.awake();
  };
  const shown = ({ persisted }: { persisted?: boolean }) => {
    if (persisted) listener.shown();
    focus();
  };
  // Losing the network is asked about too: browsers say it of networks that the gateway does not need.
  const each = (change: "addEventListener" | "removeEventListener") => {
    for (const type of ["online", "offline"]) window[change](type, listener.awake);
    for (const type of ["focus", "blur"]) window[change](type, focus);
    window[change]("pagehide", listener.hidden);
    window[change]("pageshow", shown);
    document[change]("visibilitychange", visibility);
    document[change]("resume", listener.awake);
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
 * Leaves something for the next page of this tab. It is there only while no page is: a tab that is duplicated copies the
 * storage, and must not find what the first one still uses.
 */
export function leave(key: string, value: string): void {
  try {
    browser.sessionStorage?.setItem(key, value);
  } catch {
    // Forbidden or full: the next page starts anew.
  }
}

/** Takes what the page before left. */
export function take(key: string): string | undefined {
  try {
    const value = browser.sessionStorage?.getItem(key) ?? undefined;
    if (value !== undefined) browser.sessionStorage?.removeItem(key);
    return value;
  } catch {
    return undefined;
  }
}
