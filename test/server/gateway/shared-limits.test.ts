import { expect, it } from "vitest";
import { partsOfSharedKey, SHARED } from "../../../src/server/gateway/shared-limits.ts";

it("a key has a kind and ids, and keys of other things are other keys", () => {
  const { connections, connectionsOf, socketsOf, connectsOf, requestsOf, messagesOf, bytesOf } = SHARED;
  const keys = [
    connections,
    connectionsOf("127.0.0.1"),
    connectsOf("127.0.0.1"),
    socketsOf("app", "user"),
    messagesOf("app", "user"),
    bytesOf("app", "user"),
    requestsOf("app"),
  ];
  expect(new Set(keys).size).toBe(keys.length);
  expect(partsOfSharedKey(messagesOf("app", "user"))).toEqual(["messages", "app", "user"]);
  expect(partsOfSharedKey(connectsOf("::/64"))).toEqual(["connects", "::/64"]);
  expect(partsOfSharedKey(requestsOf("app"))).toEqual(["requests", "app"]);
  expect(partsOfSharedKey(bytesOf("__proto__", "a b"))).toEqual(["bytes", "__proto__", "a b"]);
});
