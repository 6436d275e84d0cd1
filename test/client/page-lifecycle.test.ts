import { afterEach, describe, expect, it, vi } from "vitest";
import { pageHasFocus, stash, unstash, watchPageLifecycle } from "../../src/client/page-lifecycle.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A browser that is no more than its events, focus and storage. */
function inPage() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), {
    visibilityState: "visible",
    hasFocus: (): boolean => true,
  });
  const stored = new Map<string, string>();
  const sessionStorage = {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  };
  vi.stubGlobal("document", document);
  vi.stubGlobal("sessionStorage", sessionStorage);
  vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
  vi.stubGlobal("removeEventListener", window.removeEventListener.bind(window));
  const told: string[] = [];
  const end = watchPageLifecycle({
    wake: () => told.push("wake"),
    pagehide: () => told.push("pagehide"),
    pageshow: () => told.push("pageshow"),
    focus: (hasFocus) => told.push(`focus ${hasFocus}`),
  });
  const fire = (target: EventTarget, type: string, fields: object = {}) => {
    target.dispatchEvent(Object.assign(new Event(type), fields));
    return told.splice(0);
  };
  return { window, document, stored, sessionStorage, fire, end };
}

describe("a page", () => {
  it("is told to wake, to leave and to be back", () => {
    const { window, document, fire } = inPage();
    for (const type of ["online", "offline"]) expect(fire(window, type)).toEqual(["wake"]);
    expect(fire(document, "resume")).toEqual(["wake"]);
    expect(fire(window, "pagehide")).toEqual(["pagehide"]);
    expect(fire(window, "pageshow", { persisted: true })).toEqual(["pageshow", "focus true"]);
    // The first one, of a page that was not left.
    expect(fire(window, "pageshow", { persisted: false })).toEqual(["focus true"]);
  });

  it("has the focus if it is visible and the document has it", () => {
    const { window, document, fire } = inPage();
    expect(fire(window, "focus")).toEqual(["focus true"]);
    document.hasFocus = () => false;
    expect(fire(window, "blur")).toEqual(["focus false"]);
    document.hasFocus = () => true;
    expect(fire(document, "visibilitychange")).toEqual(["focus true", "wake"]);
    document.visibilityState = "hidden";
    expect(fire(document, "visibilitychange")).toEqual(["focus false"]);
    expect(pageHasFocus()).toBe(false);
  });

  it("is told nothing after the end", () => {
    const { window, document, fire, end } = inPage();
    end();
    for (const type of ["online", "offline", "focus", "blur", "pagehide", "pageshow"])
      expect(fire(window, type)).toEqual([]);
    for (const type of ["visibilitychange", "resume"]) expect(fire(document, type)).toEqual([]);
  });

  it("leaves values for the next page, each of which is found once", () => {
    const { stored } = inPage();
    stash("key", "value");
    expect(stored.get("key")).toBe("value");
    expect(unstash("key")).toBe("value");
    expect(stored.size).toBe(0);
    expect(unstash("key") ?? undefined).toBeUndefined();
  });

  it("does without a storage that is full or forbidden", () => {
    const { sessionStorage } = inPage();
    sessionStorage.setItem = sessionStorage.getItem = () => {
      throw new Error("forbidden");
    };
    expect(() => stash("key", "value")).not.toThrow();
    expect(unstash("key") ?? undefined).toBeUndefined();
  });
});

describe("where there is no page", () => {
  it("nothing is told, stored or in focus", () => {
    const listener = { wake: vi.fn(), pagehide: vi.fn(), pageshow: vi.fn(), focus: vi.fn() };
    expect(() => watchPageLifecycle(listener)()).not.toThrow();
    expect(pageHasFocus()).toBe(false);
    stash("key", "value");
    expect(unstash("key")).toBeUndefined();
  });
});
