import { afterEach, describe, expect, it, vi } from "vitest";
import {
  clientNames,
  pageHasFocus,
  stash,
  unstash,
  watchPageLifecycle,
} from "../../src/client/page-lifecycle.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** A browser that is no more than its events, focus and storage. */
function inPage() {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), {
    visibilityState: "visible",
    hasFocus: (): boolean => true,
    activeElement: null as { tagName: string } | null,
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
  // As in a browser, what happens to the document is heard at the window.
  for (const type of ["visibilitychange", "resume"]) {
    document.addEventListener(type, () => window.dispatchEvent(new Event(type)));
  }
  const heard = () => told.splice(0);
  const fire = (target: EventTarget, type: string, fields: object = {}) => {
    target.dispatchEvent(Object.assign(new Event(type), fields));
    return heard();
  };
  return { window, document, stored, sessionStorage, fire, heard, end };
}

describe("a page", () => {
  it("is told to wake, to leave and to be back", () => {
    const { window, document, fire, heard } = inPage();
    // Where it begins, too.
    expect(heard()).toEqual(["focus true"]);
    for (const type of ["online", "offline"]) expect(fire(window, type)).toEqual(["wake"]);
    expect(fire(document, "resume")).toEqual(["wake"]);
    expect(fire(window, "pagehide")).toEqual(["pagehide"]);
    expect(fire(window, "pageshow", { persisted: true })).toEqual(["pageshow", "focus true"]);
    // The first one, of a page that was not left.
    expect(fire(window, "pageshow", { persisted: false })).toEqual(["focus true"]);
  });

  it("has the focus if it is visible and the document has it", () => {
    const { window, document, fire, heard } = inPage();
    heard();
    expect(fire(window, "focus")).toEqual(["focus true"]);
    document.hasFocus = () => false;
    expect(fire(window, "blur")).toEqual(["focus false"]);
    document.hasFocus = () => true;
    expect(fire(document, "visibilitychange")).toEqual(["focus true", "wake"]);
    document.visibilityState = "hidden";
    expect(fire(document, "visibilitychange")).toEqual(["focus false"]);
    expect(pageHasFocus()).toBe(false);
  });

  it("looks for its focus each second while a frame may have it, and only while the page is visible", () => {
    vi.useFakeTimers();
    const { window, document, fire, heard, end } = inPage();
    const look = (ms = 1_000) => {
      vi.advanceTimersByTime(ms);
      return heard();
    };
    document.activeElement = { tagName: "INPUT" };
    heard();
    expect([look(10_000), vi.getTimerCount()]).toEqual([[], 0]);
    // Which element has the focus instead may be known only later.
    expect(fire(window, "blur")).toEqual(["focus true"]);
    document.activeElement = { tagName: "IFRAME" };
    expect(look()).toEqual(["focus true"]);
    document.hasFocus = () => false;
    expect([look(), look(2_000)]).toEqual([["focus false"], ["focus false", "focus false"]]);
    document.hasFocus = () => true;
    expect(look()).toEqual(["focus true"]);
    document.visibilityState = "hidden";
    expect(fire(document, "visibilitychange")).toEqual(["focus false"]);
    expect(look(10_000)).toEqual([]);
    document.visibilityState = "visible";
    fire(document, "visibilitychange");
    document.activeElement = { tagName: "CHAT-BOX" };
    expect([look(), look()]).toEqual([["focus true"], ["focus true"]]);
    document.activeElement = { tagName: "INPUT" };
    expect(fire(window, "focus")).toEqual(["focus true"]);
    expect(look(10_000)).toEqual([]);
    document.activeElement = { tagName: "IFRAME" };
    fire(window, "blur");
    expect(vi.getTimerCount()).toBe(1);
    end();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("is told nothing after the end", () => {
    const { window, document, fire, heard, end } = inPage();
    heard();
    end();
    for (const type of ["online", "offline", "focus", "blur", "pagehide", "pageshow"])
      expect(fire(window, type)).toEqual([]);
    for (const type of ["visibilitychange", "resume"]) expect(fire(document, type)).toEqual([]);
  });

  it("leaves ids for the next page, each of which is found once, and finds nothing that is no id", () => {
    const { stored } = inPage();
    stored.set("key", "\u0000");
    expect(unstash("key")).toBeUndefined();
    stash("key", "value");
    expect(stored.get("key")).toBe("value");
    expect(unstash("key")).toBe("value");
    expect(stored.size).toBe(0);
    expect(unstash("key")).toBeUndefined();
  });

  it("has one set of names, whichever copy of the SDK asks", () => {
    inPage();
    clientNames().add("a");
    expect([...clientNames()]).toEqual(["a"]);
    inPage();
    expect([...clientNames()]).toEqual([]);
  });

  it("does without a storage that is full or forbidden", () => {
    const { sessionStorage } = inPage();
    sessionStorage.setItem = sessionStorage.getItem = () => {
      throw new Error("forbidden");
    };
    expect(() => stash("key", "value")).not.toThrow();
    expect(unstash("key")).toBeUndefined();
  });
});

describe("where there is no page", () => {
  it("nothing is told, stored or in focus", () => {
    const listener = { wake: vi.fn(), pagehide: vi.fn(), pageshow: vi.fn(), focus: vi.fn() };
    expect(() => watchPageLifecycle(listener)()).not.toThrow();
    expect(pageHasFocus()).toBe(false);
    stash("key", "value");
    expect(unstash("key")).toBeUndefined();
    clientNames().add("a");
    expect([...clientNames()]).toEqual([]);
    expect(listener.focus).not.toHaveBeenCalled();
  });
});
