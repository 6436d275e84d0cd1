import { expect, it } from "vitest";
import { parseTrustProxy } from "../../../src/server/settings/parse-trust-proxy.ts";
import { settingsErrorOf } from "../../support/settings-error.ts";

it("takes addresses, networks and names of networks", () => {
  const trust = parseTrustProxy("10.0.0.0/8, loopback ,2001:db8::/32", "TRUST_PROXY");
  for (const address of ["10.9.9.9", "127.0.0.1", "::1", "2001:db8::7"]) expect(trust(address, 0)).toBe(true);
  for (const address of ["11.0.0.1", "2001:db9::1", "x"]) expect(trust(address, 0)).toBe(false);
});

it.each(["everybody", "10.0.0.0/33", "10.0.0.1,", "10.0.0.1 10.0.0.2", " "])("does not take %j", (text) => {
  const message = settingsErrorOf(() => parseTrustProxy(text, "TRUST_PROXY"));
  expect(message).toMatch(/^TRUST_PROXY must be addresses or networks/);
  expect(message).toContain(JSON.stringify(text));
});
