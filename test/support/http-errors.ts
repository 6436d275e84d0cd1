import { expect } from "vitest";
import type { TestGateway } from "./gateway.ts";

/** What every answer has, whatever it says. */
export function expectSafe(headers: Headers, cacheControl = "no-store"): void {
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("cache-control")).toBe(cacheControl);
  expect(headers.get("access-control-allow-origin")).toBeNull();
}

/** An error has the form of all errors, and tells nothing about the inside. */
export async function expectError(
  { status, headers, json }: Awaited<ReturnType<TestGateway["http"]>>,
  expected: number,
  errorCode: string,
): Promise<void> {
  expect(status).toBe(expected);
  expectSafe(headers);
  expect(headers.get("content-type")).toBe("application/json; charset=utf-8");
  expect(json).toEqual({ errorCode, reasons: expect.any(Object) });
  for (const reasons of Object.values(json.reasons)) expect(reasons).toEqual([expect.any(String)]);
  expect(Object.keys(json.reasons)).not.toHaveLength(0);
  expect(JSON.stringify(json)).not.toMatch(/\bat \S+:\d+|node_modules|\.ts\b|\.js\b/);
}
