import { afterEach, expect, it } from "vitest";
import { ReloadSignal } from "../../src/server/reload-signal.ts";

const before = process.listeners("SIGHUP");
afterEach(() => {
  for (const listener of process.listeners("SIGHUP")) {
    if (!before.includes(listener)) process.off("SIGHUP", listener);
  }
});

it("each signal is handled, and those before there was a handler are once", () => {
  const signal = new ReloadSignal();
  let reloads = 0;
  const reload = () => void reloads++;
  signal.listen();
  process.emit("SIGHUP");
  process.emit("SIGHUP");
  signal.handleWith(reload);
  expect(reloads).toBe(1);
  process.emit("SIGHUP");
  expect(reloads).toBe(2);
});

it("without a signal nothing is done", () => {
  const signal = new ReloadSignal();
  signal.listen();
  signal.handleWith(() => expect.fail());
});
