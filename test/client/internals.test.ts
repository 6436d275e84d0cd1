import { expect, it, vi } from "vitest";
import { createClient } from "../../src/client/client.ts";
import { internalsOf } from "../../src/client/internals.ts";

it("a client takes a part, and what is no client of this SDK takes none", async () => {
  const client = createClient({ url: "http://gateway", appId: "app", token: "token" });
  const request = vi.fn();
  const add = internalsOf(client);
  const part = add((requests, connection, remove) => {
    expect(connection.status()).toBe("idle");
    expect(requests).toHaveProperty("request");
    return { request, end: () => remove(part) };
  });
  expect(client.status(), "it connects for the part").toBe("connecting");
  expect(request).not.toHaveBeenCalled();
  expect(() => internalsOf({ ...client })).toThrow(new TypeError("bad client"));
  await client.close();
});
