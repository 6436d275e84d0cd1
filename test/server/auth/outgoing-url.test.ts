import { expect, it } from "vitest";
import { outgoingUrlProblem } from "../../../src/server/auth/outgoing-url.ts";

it.each([
  "https://example.com/hook?key=value",
  "https://10.0.0.1:8443/",
  "http://localhost:3000/hook",
  "http://127.0.0.1/",
  "http://127.1:80/",
  "http://[::1]:8080/",
  "HTTPS://EXAMPLE.COM",
])("takes %s", (url) => {
  expect(outgoingUrlProblem(url)).toBeUndefined();
});

it.each([
  ["http://example.com/", "must be an https URL, or an http URL of a loopback address"],
  ["http://127.0.0.1.example.com/", "must be an https URL, or an http URL of a loopback address"],
  ["http://10.0.0.1/", "must be an https URL, or an http URL of a loopback address"],
  ["ftp://localhost/", "must be an https URL, or an http URL of a loopback address"],
  ["file:///etc/passwd", "must be an https URL, or an http URL of a loopback address"],
  ["https://user:password@example.com/", "must be a URL without user and password"],
  ["http://user@localhost/", "must be a URL without user and password"],
  ["https://:password@example.com/", "must be a URL without user and password"],
  ["http://localhost.example.com/", "must be an https URL, or an http URL of a loopback address"],
  ["data:application/json,{}", "must be an https URL, or an http URL of a loopback address"],
  ["example.com", "must be a URL"],
  ["", "must be a URL"],
  [`https://example.com/${"x".repeat(2_048)}`, "must have at most 2048 characters"],
])("refuses %s", (url, problem) => {
  expect(outgoingUrlProblem(url)).toBe(problem);
});
