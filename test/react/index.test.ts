import { expect, it } from "vitest";
import * as react from "../../src/react/index.ts";

it("the package exports what its users may rely on, and nothing else", () => {
  expect(Object.keys(react).sort()).toEqual([
    "PresenceProvider",
    "useMyStatus",
    "usePresence",
    "usePresenceClient",
    "usePresenceCount",
    "useSession",
    "useStatus",
  ]);
});
