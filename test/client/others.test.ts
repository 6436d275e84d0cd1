import { describe, expect, it } from "vitest";
import { others } from "../../src/client/others.ts";
import { someone } from "../support/sdk.ts";

describe("the others", () => {
  const users = new Map([
    ["alice", someone("a")],
    ["bob", someone("b")],
  ]);

  it("are all but this user, in the same order, and the same objects", () => {
    const rest = others(users, "alice");
    expect([...rest]).toEqual([["bob", users.get("bob")]]);
    expect(rest.get("bob")).toBe(users.get("bob"));
    expect(users.size).toBe(2);
  });

  it("are everyone if this user is not among them: the same map, for what is memoized", () => {
    expect(others(users, "carol")).toBe(users);
    const none = new Map();
    expect(others(none, "alice")).toBe(none);
  });
});
