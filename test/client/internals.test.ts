import { expect, it } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { internalsOf } from "../../src/client/internals.ts";

it("a client has an inside, and what is no client of this SDK has none", () => {
  const client = createClient({ url: "http://gateway", appId: "app", token: "token" });
  expect(internalsOf(client).connection.status).toBe("idle");
  expect(() => internalsOf({ ...client })).toThrow(new TypeError("bad client"));
});
