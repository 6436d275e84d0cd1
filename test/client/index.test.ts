import { expect, it } from "vitest";
import * as client from "../../src/client/index.ts";

it("the package exports what its users may rely on, and nothing else", () => {
  expect(Object.keys(client).sort()).toEqual([
    "PresenceError",
    "createClient",
    "lastSeen",
    "normalFilter",
    "others",
    "setStatus",
    "subscribeCount",
    "trackIdle",
  ]);
});
