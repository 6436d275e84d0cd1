import { describe, expect, it, vi } from "vitest";
import { PresenceError } from "../../src/client/errors.ts";
import { normalFilter } from "../../src/client/filter.ts";
import { createSharedSubscription, type SharedSubscription } from "../../src/client/shared-subscription.ts";
import { createSubscriber } from "../../src/client/subscriber.ts";
import type { PresenceChange } from "../../src/client/types.ts";
import { fakeRequests, someone } from "../support/sdk.ts";
import { holdClock, pass } from "./fake-clock.ts";

holdClock();

function make(maxUsers = 10) {
  const { sent, requests } = fakeRequests();
  const owner = { byView: new Map<string, SharedSubscription>(), answered: vi.fn(), failed: vi.fn() };
  const shared = createSharedSubscription(normalFilter({}), owner, requests, maxUsers);
  const changes: PresenceChange[] = [];
  const subscriber = createSubscriber(
    (_, change) => changes.push(change),
    undefined,
    () => {},
  );
  shared.add(subscriber);
  const snapshot = (data: object, fields: object = {}) =>
    sent.at(-1)!.answered({ type: "snapshot", id: 1, view: "v", version: 1, data, ...fields } as never);
  return { shared, owner, requests, sent, subscriber, changes, snapshot };
}

describe("a shared subscription", () => {
  it("asks for everything at first, then for what came since", () => {
    const { shared, owner, sent, subscriber, snapshot } = make();
    shared.request();
    expect(sent[0]!.message).toMatchObject({ type: "subscribe", filter: {}, since: undefined });
    expect(shared.isBusy).toBe(true);
    expect(snapshot({ a: someone() })).not.toBe(true);
    expect(shared.isBusy).toBe(false);
    expect(owner.byView.get("v")).toBe(shared);
    expect(owner.answered).toHaveBeenCalledExactlyOnceWith(shared, undefined);
    shared.addDiff({ view: "v", version: 2, data: { b: someone() } });
    shared.lost();
    expect(owner.byView.size).toBe(0);
    expect(subscriber.snapshot?.size).toBe(2);
    shared.request();
    expect(sent[1]!.message).toMatchObject({ since: { view: "v", version: 2 } });
    expect(sent[1]!.answered({ type: "resumed", id: 2, view: "v", version: 2 })).not.toBe(true);
    expect(owner.byView.get("v")).toBe(shared);
  });

  it("gives a later subscriber everybody at once", async () => {
    const { shared, snapshot } = make();
    shared.request();
    snapshot({ a: someone(), b: someone() });
    const changes: PresenceChange[] = [];
    shared.add(
      createSubscriber(
        (_, change) => changes.push(change),
        undefined,
        () => {},
      ),
    );
    await pass(0);
    expect(changes).toEqual([{ entered: ["a", "b"], updated: [], left: [] }]);
  });

  it("tells of the first snapshot even if it is empty, and later only of changes", async () => {
    const { shared, changes, snapshot } = make();
    shared.request();
    snapshot({});
    shared.addDiff({ view: "v", version: 2, data: { a: null } });
    await pass(0);
    expect(changes).toEqual([{ entered: [], updated: [], left: [] }]);
  });

  it("keeps users who are missing after a restart until their time is over", async () => {
    const { shared, subscriber, changes, snapshot } = make();
    shared.request();
    snapshot({ a: someone("1"), b: someone("2") });
    shared.lost();
    shared.request(15_000);
    snapshot({ a: someone("1") }, { view: "w" });
    await pass(14_999);
    expect(subscriber.snapshot?.size).toBe(2);
    await pass(1);
    expect(changes.at(-1)).toEqual({ entered: [], updated: [], left: [{ userId: "b", cause: "timeout" }] });
  });

  it("cannot go on with too many users, and gives the connection up for a broken protocol", () => {
    const { shared, owner, requests, sent, snapshot } = make(1);
    shared.request();
    snapshot({ a: someone(), b: someone() });
    expect(owner.failed).toHaveBeenCalledWith(shared, expect.objectContaining({ code: "LIMIT_REACHED" }));
    const broken = expect.objectContaining({ code: "PROTOCOL" });
    expect(() => sent[0]!.answered({ type: "ok", id: 1 })).toThrow(broken);
    expect(() => sent[0]!.answered({ type: "resumed", id: 1, view: "w", version: 1 })).toThrow(broken);
    owner.byView.set("other", createSharedSubscription(normalFilter({ isTyping: true }), owner, requests, 1));
    expect(() => snapshot({}, { view: "other" })).toThrow(broken);
  });

  it("is over once it has ended: its subscribers are told, and no answer counts any more", async () => {
    const { shared, owner, subscriber, changes, snapshot } = make();
    shared.request();
    snapshot({});
    await pass(0);
    const error = new PresenceError("FORBIDDEN", "no");
    shared.end(error);
    expect(subscriber).toMatchObject({ state: "error", error });
    expect(owner.byView.size).toBe(0);
    snapshot({ a: someone() });
    await pass(0);
    expect(changes).toHaveLength(1);
  });
});
