import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { trackIdle } from "../../src/client/track-idle.ts";
import type { SessionFields } from "../../src/client/types.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function inPage(options?: Parameters<typeof trackIdle>[1]) {
  const window = new EventTarget();
  const document = { visibilityState: "visible" };
  vi.stubGlobal("document", document);
  vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
  const said: SessionFields[] = [];
  const end = trackIdle({ set: (fields) => said.push(fields) }, options);
  const fire = (type: string) => window.dispatchEvent(new Event(type));
  const show = (isVisible: boolean) => {
    document.visibilityState = isVisible ? "visible" : "hidden";
    fire("visibilitychange");
  };
  return { said, end, fire, show };
}

const [IDLE, BUSY] = [{ isIdle: true }, { isIdle: false }];

describe("a session that tracks whether it is idle", () => {
  it.each(["pointerdown", "pointermove", "wheel", "touchstart", "keydown", "focus"])(
    "is idle when nothing was touched for a while, until %s",
    (type) => {
      const { said, fire } = inPage({ afterMs: 60_000 });
      expect(said).toEqual([BUSY]);
      vi.advanceTimersByTime(59_999);
      fire(type);
      vi.advanceTimersByTime(59_999);
      expect(said).toEqual([BUSY]);
      vi.advanceTimersByTime(1);
      expect(said).toEqual([BUSY, IDLE]);
      expect(vi.getTimerCount()).toBe(0);
      fire(type);
      expect(said).toEqual([BUSY, IDLE, BUSY]);
    },
  );

  it("has one timer, however much is touched", () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const { fire } = inPage({ afterMs: 60_000 });
    for (let i = 0; i < 1_000; i++) {
      fire("pointermove");
      vi.advanceTimersByTime(100);
      expect(vi.getTimerCount()).toBe(1);
    }
    expect(set.mock.calls.length).toBeLessThan(5);
  });

  it("is idle while the page is hidden, and nothing runs then", () => {
    const { said, show } = inPage();
    show(false);
    expect(said).toEqual([BUSY, IDLE]);
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1_000_000);
    show(true);
    expect(said).toEqual([BUSY, IDLE, BUSY]);
    vi.advanceTimersByTime(300_000);
    expect(said).toEqual([BUSY, IDLE, BUSY, IDLE]);
  });

  it("hears nothing once it is ended", () => {
    const { said, end, fire } = inPage();
    vi.advanceTimersByTime(300_000);
    end();
    expect(said).toEqual([BUSY, IDLE, BUSY]);
    fire("keydown");
    vi.advanceTimersByTime(1_000_000);
    expect(said).toHaveLength(3);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does nothing where there is no page", () => {
    trackIdle({ set: () => expect.unreachable() })();
  });
});
