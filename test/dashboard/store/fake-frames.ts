import { vi } from "vitest";

/** Replaces the browser's animation frames. Returns a function that runs the callbacks of the next frame. */
export function fakeFrames(): () => void {
  let callbacks: (() => void)[] = [];
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => callbacks.push(callback));
  return () => {
    const current = callbacks;
    callbacks = [];
    for (const callback of current) callback();
  };
}
