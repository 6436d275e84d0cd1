import { describe, expect, it, vi } from "vitest";
import { PresenceError, protocolError } from "../../src/client/errors.ts";
import { assemblePages } from "../../src/client/live-users.ts";
import { createQuery } from "../../src/client/query.ts";
import type { PresenceSnapshot } from "../../src/client/types.ts";
import { fakeRequests, plain, someone } from "../support/sdk.ts";
import { holdClock, pass } from "./fake-clock.ts";

holdClock();

function start(maxUsers = 10) {
  const deleted: number[] = [];
  const { sent, requests } = fakeRequests({ delete: (id) => void deleted.push(id) });
  const ended = vi.fn();
  const query = createQuery<PresenceSnapshot>(
    () => ({ type: "query", filter: { userIds: ["a", "b"] } }),
    () => {
      const add = assemblePages(maxUsers);
      return (answer) => {
        if (answer.type !== "result") throw protocolError(answer.type);
        return add(answer);
      };
    },
    requests,
    ended,
  );
  const result = query.answer.then(plain, (error: PresenceError) => error);
  const answer = (data: object, more = false) =>
    sent.at(-1)!.answered({ type: "result", id: 1, data, more } as never);
  return { query, sent, deleted, ended, result, answer };
}

describe("a query", () => {
  it("has all pages of its answer", async () => {
    const { query, sent, ended, result, answer } = start();
    query.request();
    expect(sent[0]!.message).toMatchObject({ type: "query", filter: { userIds: ["a", "b"] } });
    answer({ a: someone("1") }, true);
    expect(ended).not.toHaveBeenCalled();
    answer({ b: someone("2") });
    expect(await result).toEqual(
      plain(
        new Map([
          ["a", someone("1")],
          ["b", someone("2")],
        ]),
      ),
    );
    expect(ended).toHaveBeenCalledExactlyOnceWith(query);
  });

  it("begins anew on another connection, and forgets its request when it is answered", async () => {
    const { query, deleted, result, answer } = start();
    query.request();
    answer({ a: someone("1") }, true);
    query.request();
    answer({ b: someone("2") });
    expect(await result).toEqual(plain(new Map([["b", someone("2")]])));
    expect(deleted).toEqual([2]);
  });

  it("rejects after 30 s, when it is refused, and with more users than are allowed", async () => {
    const late = start();
    await pass(30_000);
    expect(await late.result).toMatchObject({ code: "TIMEOUT" });
    const refused = start();
    refused.query.request();
    refused.sent[0]!.refused(new PresenceError("FORBIDDEN", "no"));
    expect(await refused.result).toMatchObject({ code: "FORBIDDEN" });
    const large = start(1);
    large.query.request();
    large.answer({ a: someone("1"), b: someone("2") });
    expect(await large.result).toMatchObject({ code: "LIMIT_REACHED" });
  });

  it("takes an answer of another type for a broken protocol", () => {
    const { query, sent, result } = start();
    query.request();
    expect(() => sent[0]!.answered({ type: "ok", id: 1 })).toThrow(
      expect.objectContaining({ code: "PROTOCOL" }),
    );
    query.end(new PresenceError("CLOSED", "closed"));
    return expect(result).resolves.toMatchObject({ code: "CLOSED" });
  });
});
