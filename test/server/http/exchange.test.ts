import { describe, expect, it } from "vitest";
import {
  BodyWanted,
  errorResponse,
  isWhole,
  jsonResponse,
  MAX_BODY_BYTES,
  plainResponse,
  redirectResponse,
  streamResponse,
  textResponse,
  tooLargeResponse,
} from "../../../src/server/http/exchange.ts";
import { ErrorBody } from "../../../src/server/http/schemas.ts";
import { jsonOf } from "../../support/http-handler.ts";

const SAFE = { "x-content-type-options": "nosniff", "cache-control": "no-store" };
const start = () => ({ onDrain: () => {}, onClose: () => {} });

describe("every kind of response", () => {
  it.each([
    ["JSON", jsonResponse(200, {}), "application/json; charset=utf-8"],
    ["JSON that is text already", textResponse(200, "{}"), "application/json; charset=utf-8"],
    ["an error", errorResponse(400, {}), "application/json; charset=utf-8"],
    ["plain text", plainResponse(200, "text/plain", "x"), "text/plain"],
    ["a redirection", redirectResponse("/x/"), "text/plain; charset=utf-8"],
    ["a stream", streamResponse("text/event-stream", start), "text/event-stream"],
  ])("is neither cached nor guessed at: %s", (_name, { headers }, contentType) => {
    expect(headers).toMatchObject({ ...SAFE, "content-type": contentType });
  });

  it("may have further headers", () => {
    expect(jsonResponse(200, {}, { allow: "GET" }).headers).toMatchObject({ ...SAFE, allow: "GET" });
    expect(plainResponse(200, "text/plain", "", { allow: "GET" }).headers).toMatchObject({ allow: "GET" });
  });
});

it("an error says its code and its reasons", () => {
  const response = errorResponse(429, { rate: ["too many"] }, { "retry-after": "1" });
  expect(response.status).toBe(429);
  expect(response.headers["retry-after"]).toBe("1");
  expect(jsonOf(response)).toEqual({ errorCode: "TOO_MANY_REQUESTS", reasons: { rate: ["too many"] } });
  expect(ErrorBody.safeParse(jsonOf(response)).success).toBe(true);
});

it("a body that is too large is told the limit", () => {
  expect(tooLargeResponse(512)).toMatchObject({ status: 413 });
  expect(jsonOf(tooLargeResponse(512)).reasons).toEqual({ body: ["must have at most 512 bytes"] });
});

it("a redirection keeps the method", () => {
  expect(redirectResponse("/dashboard/")).toMatchObject({
    status: 308,
    headers: { location: "/dashboard/" },
  });
});

it("a stream is not held back by nginx", () => {
  expect(streamResponse("text/event-stream", start).headers["x-accel-buffering"]).toBe("no");
});

it("texts and bytes are whole bodies; pieces and streams are not", () => {
  expect([isWhole(""), isWhole(Buffer.alloc(0))]).toEqual([true, true]);
  expect([isWhole([""].values()), isWhole(start)]).toEqual([false, false]);
});

it("a body has a limit of its own, or that of all routes", () => {
  const handle = () => jsonResponse(200, {});
  expect(new BodyWanted("app", handle).maxBytes).toBe(MAX_BODY_BYTES);
  expect(new BodyWanted("app", handle, 10).maxBytes).toBe(10);
});
