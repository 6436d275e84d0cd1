import { describe, expect, it, vi } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { EntriesDiff } from "../../../src/core/views/diff.ts";
import { View } from "../../../src/core/views/view.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import {
  type FlushPayer,
  type Subscriber,
  type VersionSubscriber,
  ViewChannel,
} from "../../../src/server/gateway/view-channel.ts";
import { publish, testTelemetry } from "../../support/stubs.ts";

function setUp() {
  const table = new Table();
  const view = new View("view", new CompiledFilter(FilterSchema.parse({})), table);
  view.hydrate(10);
  const crashes: unknown[] = [];
  const channel = new ViewChannel(
    view,
    testTelemetry((error) => void crashes.push(error)),
  );
  let opened = 0;
  const change = () => {
    const id = opened++;
    view.markDirty(table.open(`s${id}`, `u${id}`, "widget", NEW_SESSION, undefined), 0);
  };
  return { table, view, channel, crashes, change };
}

function subscriber(payer?: FlushPayer) {
  const versions: number[] = [];
  const frames: string[] = [];
  const failures: unknown[] = [];
  const made: Subscriber = {
    payer,
    deliver: (frame, version) => {
      versions.push(version);
      frames.push(frame.text);
    },
    end: () => [7],
    fail: (error) => void failures.push(error),
  };
  return Object.assign(made, { versions, frames, failures });
}

describe("a channel", () => {
  it("delivers each diff to all of its subscribers, as far as the time goes", () => {
    const { view, channel, change } = setUp();
    const all = Array.from({ length: 10 }, () => subscriber());
    for (const each of all) channel.add(each);
    change();
    channel.publish(view.flush().diff);
    const spentMs = channel.deliverSome(Number.MIN_VALUE);
    expect(spentMs).toBeGreaterThan(0);
    expect([channel.isPublishing, all.filter(({ versions }) => versions.length > 0).length]).toEqual([
      true,
      1,
    ]);
    channel.deliverSome(Number.POSITIVE_INFINITY);
    expect(channel.isPublishing).toBe(false);
    for (const { versions } of all) expect(versions).toEqual([2]);
  });

  it("gives each subscriber the kind that it takes, and encodes only what somebody takes", () => {
    const { view, channel, change, table } = setUp();
    change();
    view.flush();
    const session = table.get("s0")!;
    const whole = vi.spyOn(EntriesDiff.prototype, "whole");
    const turn = (isTyping: boolean) => {
      view.markDirty(table.update(session, patchState(session, { isTyping }))!, 0);
      channel.publish(view.flush(channel.wantsPatches).diff);
      channel.deliverSome(Number.POSITIVE_INFINITY);
    };
    const [patched, other, plain] = [subscriber(), subscriber(), subscriber()];
    for (const each of [patched, other]) channel.add(Object.assign(each, { wantsPatches: true }));
    turn(true);
    expect(whole).not.toHaveBeenCalled();
    expect(patched.frames).toEqual([expect.stringContaining('{"changed":{"s0":{"isTyping":true}}}')]);
    expect(patched.frames[0]).toBe(other.frames[0]);
    channel.add(plain);
    turn(false);
    expect(whole).toHaveBeenCalledTimes(1);
    expect(patched.frames[1]).toContain('{"changed":{"s0":{"isTyping":false}}}');
    expect(plain.frames).toEqual([expect.stringContaining('"widgets":[{')]);
    for (const each of [patched, other]) channel.remove(each);
    expect(channel.wantsPatches).toBe(false);
    turn(true);
    expect(plain.frames[1]).not.toContain("changed");
    whole.mockRestore();
  });

  it("encodes nothing for a subscriber that only needs to know that there is another version", () => {
    const { channel, change } = setUp();
    const whole = vi.spyOn(EntriesDiff.prototype, "whole");
    const bytes = vi.spyOn(Frame.prototype, "encodeBytes");
    const webhook: VersionSubscriber = {
      payer: undefined,
      takesFrames: false,
      deliver: vi.fn(),
      end: () => [],
      fail: (error) => expect.fail(String(error)),
    };
    channel.add(webhook);
    change();
    publish(channel);
    expect(webhook.deliver).toHaveBeenCalledOnce();
    expect(whole).not.toHaveBeenCalled();
    // A single other one reads the text.
    const other = subscriber();
    channel.add(other);
    change();
    publish(channel);
    expect([whole.mock.calls.length, bytes.mock.calls.length, other.frames.length]).toEqual([1, 0, 1]);
    channel.remove(webhook);
    channel.add(subscriber());
    change();
    publish(channel);
    expect([bytes.mock.calls.length, vi.mocked(webhook.deliver).mock.calls.length]).toEqual([1, 2]);
    whole.mockRestore();
    bytes.mockRestore();
  });

  it("serves the other subscribers where one cannot be served", () => {
    const { channel, crashes, change } = setUp();
    const [bad, good] = [subscriber(), subscriber()];
    bad.deliver = () => {
      throw new Error("a defect");
    };
    for (const each of [bad, good]) channel.add(each);
    change();
    publish(channel);
    expect([bad.failures.length, good.versions, crashes]).toEqual([1, [2], []]);
  });

  it("calls back once the view has no unflushed marks", () => {
    const { channel, change } = setUp();
    const called: string[] = [];
    channel.onceFlushed(() => called.push("at once"));
    change();
    channel.onceFlushed(() => called.push("after the flush"));
    expect(called).toEqual(["at once"]);
    publish(channel);
    publish(channel);
    expect(called).toEqual(["at once", "after the flush"]);
  });

  it("has one snapshot for each version", () => {
    const { channel, change } = setUp();
    const first = channel.snapshot();
    expect(channel.snapshot()).toBe(first);
    change();
    publish(channel);
    expect(channel.snapshot()).not.toBe(first);
    expect(channel.snapshot().version).toBe(2);
  });

  it("is paid for by one user only where all subscribers are that user's", () => {
    const { channel } = setUp();
    const [alice, bob] = [{ flushFreeAt: 0 }, { flushFreeAt: 0 }];
    const [first, second, other] = [subscriber(alice), subscriber(alice), subscriber(bob)];
    for (const each of [first, second]) channel.add(each);
    expect(channel.payer).toBe(alice);
    channel.add(other);
    expect(channel.payer).toBeUndefined();
    expect(channel.remove(other)).toEqual([7]);
    expect(channel.payer).toBe(alice);
    expect(channel.size).toBe(2);
    // Whoever came first.
    channel.add(other);
    for (const each of [first, second]) channel.remove(each);
    expect(channel.payer).toBe(bob);
    channel.add(subscriber());
    expect(channel.payer).toBeUndefined();
    channel.remove(other);
    expect(channel.payer).toBeUndefined();
  });

  it("ends all of its subscribers where its view is unusable", () => {
    const { channel } = setUp();
    const all = [subscriber(), subscriber()];
    for (const each of all) channel.add(each);
    channel.fail(new Error("a defect"));
    for (const { failures } of all) expect(failures).toHaveLength(1);
  });
});
