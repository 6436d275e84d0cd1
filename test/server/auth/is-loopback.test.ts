import { expect, it } from "vitest";
import { isLoopback } from "../../../src/server/auth/is-loopback.ts";

it.each(["localhost", "::1", "127.0.0.1", "127.1.2.3"])("%s means this machine only", (host) => {
  expect(isLoopback(host)).toBe(true);
});

it.each([
  "",
  "0.0.0.0",
  "::",
  "128.0.0.1",
  "127.0.0.1.example.com",
  "127.1",
  "localhost.example.com",
  "LOCALHOST ",
])("%j may mean others", (host) => {
  expect(isLoopback(host)).toBe(false);
});
