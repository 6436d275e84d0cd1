import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Topic } from "../../../src/dashboard/store/topic.ts";
import { fakeFrames } from "./fake-frames.ts";

let runFrame: () => void;

beforeEach(() => {
  runFrame = fakeFrames();
});
afterEach(() => {
  vi.unstubAllGlobals();
});

it("notifies once per frame, however many changes there were", () => {
  const topic = new Topic();
  const listener = vi.fn();
  topic.listen(listener);
  topic.notify();
  topic.notify();
  expect(listener).not.toHaveBeenCalled();
  runFrame();
  expect(listener).toHaveBeenCalledOnce();
  runFrame();
  expect(listener).toHaveBeenCalledOnce();
  topic.notify();
  runFrame();
  expect(listener).toHaveBeenCalledTimes(2);
});

it("does not notify a listener that stopped listening", () => {
  const topic = new Topic();
  const stopped = vi.fn();
  const other = vi.fn();
  const stop = topic.listen(stopped);
  topic.listen(other);
  topic.notify();
  stop();
  runFrame();
  expect(stopped).not.toHaveBeenCalled();
  expect(other).toHaveBeenCalledOnce();
});
