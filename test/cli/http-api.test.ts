import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CliError } from "../../src/cli/cli-error.ts";
import { type ApiRequest, callApi } from "../../src/cli/http-api.ts";
import { StubApi } from "../support/stub-api.ts";

let api: StubApi;

beforeEach(async () => {
  api = await StubApi.start();
});
afterEach(() => api.stop());

function call(request: ApiRequest = { method: "GET", path: "stats" }, token = async () => "a.b.c") {
  return callApi({ url: api.url, appId: "my app", secret: undefined, token }, request);
}

test("sends a request with the token, and any id in the query", async () => {
  api.answer = () => ({ body: { data: 1 } });
  const query = { userId: "../a&b?" };
  expect(await call({ method: "PUT", path: "users/status", query, body: { text: "x" } })).toEqual({
    data: 1,
  });
  expect(api.requests).toEqual([
    {
      method: "PUT",
      url: "/v1/my%20app/users/status?userId=..%2Fa%26b%3F",
      authorization: "Bearer a.b.c",
      body: { text: "x" },
    },
  ]);
});

describe("an error", () => {
  test.each([
    [
      400,
      { errorCode: "BAD_REQUEST", reasons: { text: ["is too long", "is bad"] } },
      "text: is too long, is bad (BAD_REQUEST, 400)",
    ],
    [401, { errorCode: "UNAUTHORIZED", reasons: {} }, "does not take this secret or token"],
    [404, { errorCode: "NOT_FOUND" }, "the gateway refuses this: (NOT_FOUND, 404)"],
    [502, "<html>", "the gateway refuses this: (502)"],
    [200, "<html>", "the answer is not JSON"],
    [302, "", "(302)"],
  ])("%d %j", async (status, body, message) => {
    api.answer = () => ({ status, body });
    const answer = call();
    await expect(answer).rejects.toThrow(CliError);
    await expect(answer).rejects.toThrow(message);
    await expect(answer).rejects.toMatchObject({ exitCode: 2, status, isTemporary: status === 502 });
    await expect(answer).rejects.not.toThrow("a.b.c");
  });

  test("without a gateway names the address, and may be over later", async () => {
    const other = await StubApi.start();
    const { url } = other;
    await other.stop();
    const nowhere = callApi(
      { url, appId: "shop", secret: undefined, token: "a.b.c" },
      { method: "GET", path: "stats" },
    );
    await expect(nowhere).rejects.toThrow(`no gateway answers at ${url}: connect ECONNREFUSED`);
    await expect(nowhere).rejects.toMatchObject({ status: undefined, isTemporary: true });
  });
});
