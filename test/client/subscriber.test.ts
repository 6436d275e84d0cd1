import { describe, expect, it, vi } from "vitest";
import { PresenceError } from "../../src/client/errors.ts";
import { createSubscriber } from "../../src/client/subscriber.ts";

const NOTHING = { entered: [], updated: [], left: [] };

function make() {
  const listener = vi.fn();
  const onError = vi.fn();
  const onUnsubscribe = vi.fn();
  const subscriber = createSubscriber(listener, onError, onUnsubscribe);
  return { subscriber, listener, onError, onUnsubscribe };
}

describe("a subscriber", () => {
  it("is called after the call that delivers, and is active from then on", async () => {
    const { subscriber, listener } = make();
    const users = new Map();
    expect(subscriber).toMatchObject({ state: "pending", snapshot: undefined });
    subscriber.deliver(users, NOTHING);
    expect(subscriber).toMatchObject({ state: "active", snapshot: users });
    expect(listener).not.toHaveBeenCalled();
    expect(await subscriber.connected).toBe(users);
    expect(listener).toHaveBeenCalledExactlyOnceWith(users, NOTHING);
  });

  it("is not called any more once it has unsubscribed, even for what is on its way", async () => {
    const { subscriber, listener, onError, onUnsubscribe } = make();
    subscriber.deliver(new Map(), NOTHING);
    subscriber.unsubscribe();
    subscriber.unsubscribe();
    subscriber.deliver(new Map(), NOTHING);
    subscriber.fail(new PresenceError("FORBIDDEN", "no"));
    await undefined;
    expect(listener).not.toHaveBeenCalled();
    expect(onError).not.toHaveBeenCalled();
    expect(onUnsubscribe).toHaveBeenCalledExactlyOnceWith(subscriber);
    expect(subscriber.state).toBe("unsubscribed");
  });

  it("is told of an error once, and rejects if it had nothing before", async () => {
    const { subscriber, onError } = make();
    const error = new PresenceError("FORBIDDEN", "no");
    subscriber.fail(error);
    subscriber.fail(new PresenceError("LIMIT_REACHED", "no"));
    await expect(subscriber.connected).rejects.toBe(error);
    expect(subscriber).toMatchObject({ state: "error", error });
    expect(onError).toHaveBeenCalledExactlyOnceWith(error);
  });

  it("is unsubscribed, without being told, when the client is closed", async () => {
    const { subscriber, onError } = make();
    subscriber.fail(new PresenceError("CLOSED", "closed"));
    await expect(subscriber.connected).rejects.toMatchObject({ code: "CLOSED" });
    expect(subscriber.state).toBe("unsubscribed");
    expect(onError).not.toHaveBeenCalled();
  });
});
