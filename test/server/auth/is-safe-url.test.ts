import { expect, it } from "vitest";
import { isSafeUrl } from "../../../src/server/auth/is-safe-url.ts";

it.each([
  "https://issuer.example/.well-known/jwks.json",
  "https://10.0.0.1:8443/keys?tenant=a",
  "http://localhost:3000/jwks",
  "http://127.0.0.1/jwks",
  "http://[::1]:9/jwks",
])("%s is safe", (url) => expect(isSafeUrl(url)).toBe(true));

it.each([
  "",
  "jwks.json",
  "http://issuer.example/jwks.json",
  "http://10.0.0.1/jwks.json",
  "http://localhost.example.com/",
  "https://user@issuer.example/",
  "https://user:password@issuer.example/",
  "https://:password@issuer.example/",
  "ftp://localhost/",
  "file:///etc/passwd",
  "data:application/json,{}",
])("%j is not", (url) => expect(isSafeUrl(url)).toBe(false));
