import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { StubApi } from "../support/stub-api.ts";
import { ProgramRun } from "./program-run.ts";

let run: ProgramRun;
afterEach(() => run.restore());

function compare(...args: readonly string[]): ProgramRun {
  run = new ProgramRun(["compare", ...args]);
  return run;
}

describe("with another gateway in the role of TalkJS", () => {
  const SECRETS = [
    "sk_test_of_the_app_at_talkjs_0123456789",
    "a secret of the gateway, long enough to be one",
  ];
  let talkjs: TestGateway;
  let gateway: TestGateway;
  let options: string[];

  beforeAll(async () => {
    talkjs = await TestGateway.start("ws", { apps: [{ id: "tAbCdEfG", secrets: [SECRETS[0]!] }] });
    gateway = await TestGateway.start("ws", { apps: [{ id: "shop", secrets: [SECRETS[1]!] }] });
    options = [
      ...["--talkjs-url", talkjs.url, "--talkjs-app", "tAbCdEfG", "--talkjs-secret", SECRETS[0]!],
      ...["--gateway-url", gateway.url, "--app", "shop", "--secret", SECRETS[1]!],
    ];
  });
  afterAll(async () => {
    await talkjs.stop();
    await gateway.stop();
  });

  const write = async (at: TestGateway, userId: string, body: object) => {
    const [app, secret] = at === talkjs ? ["tAbCdEfG", SECRETS[0]!] : ["shop", SECRETS[1]!];
    const headers = { authorization: `Bearer ${secret}` };
    const { status } = await at.http("PUT", `/v1/${app}/users/${userId}/sessions/k`, body, headers);
    expect(status).toBe(200);
  };
  const writeBoth = async (userId: string, body: object) => {
    await write(talkjs, userId, body);
    await write(gateway, userId, body);
  };

  test("prints who is only here or there, and what differs", async () => {
    await writeBoth("alice", { selectedConversationId: "c1", custom: { a: "b" } });
    await compare(...options).over;
    expect([run.lines, run.exitCode]).toEqual([["1 alike, 0 different"], 0]);
    run.restore();

    await write(talkjs, "bob", {});
    await write(gateway, "carol", {});
    await write(talkjs, "dave", { hasFocus: true, selectedConversationId: "c1" });
    await write(gateway, "dave", { hasFocus: false });
    await compare(...options).over;
    expect(run.lines).toEqual([
      "USER   WHAT                            TALKJS    GATEWAY",
      "bob    user                            is there  -",
      "carol  user                            -         is there",
      "dave   widgets.selectedConversationId  c1        null",
      "dave   widgets.hasFocus                true      false",
      "1 alike, 3 different",
    ]);
    expect(run.exitCode).toBe(1);
    run.restore();

    await compare(...options, "--focused", "--user", "dave", "alice", "--json").over;
    expect(JSON.parse(run.output)).toMatchObject({
      alike: 0,
      differences: [{ userId: "dave", field: "user", talkjs: { status: "online" }, gateway: null }],
    });
    run.restore();

    await compare(...options, "--user", "alice", "--repeat", "3").over;
    expect(run.exitCode).toBe(0);
  });
});

describe("with answers of the test", () => {
  let talkjs: StubApi;
  let gateway: StubApi;
  beforeEach(async () => {
    talkjs = await StubApi.start();
    gateway = await StubApi.start();
  });
  afterEach(async () => {
    await talkjs.stop();
    await gateway.stop();
  });

  const ask = (...args: readonly string[]) =>
    compare("--talkjs-url", talkjs.url, "--talkjs-token", "t.t.t", ...gateway.options, ...args);
  const answers = (stub: StubApi, ...data: readonly unknown[]) => {
    let round = 0;
    stub.answer = () => ({ body: { data: data[Math.min(round++, data.length - 1)] } });
  };
  const here = { status: "online", widgets: [], backgroundSessions: [] };

  test("asks both the same, each with its own credentials", async () => {
    answers(talkjs, {});
    answers(gateway, {});
    await ask("--background", "--no-conversation").over;
    const body = { includeBackgroundSessions: true, selectedConversationId: null };
    expect(talkjs.requests).toEqual([
      { method: "POST", url: "/v1/shop/presences", authorization: "Bearer t.t.t", body },
    ]);
    expect(gateway.requests).toEqual([{ ...talkjs.requests[0], authorization: "Bearer a.b.c" }]);
  });

  test("--repeat prints what differs each time", async () => {
    answers(talkjs, { alice: here, bob: here }, { alice: here, carol: here });
    answers(gateway, {});
    await ask("--repeat", "2", "--every", "1s", "--json").over;
    const { alike, differences } = JSON.parse(run.output);
    expect([alike, differences.map(({ userId }: { userId: string }) => userId)]).toEqual([1, ["alice"]]);
    expect([run.exitCode, talkjs.requests.length]).toEqual([1, 2]);
  });

  test("ids and texts cannot command the terminal", async () => {
    answers(talkjs, { "\u001b[2Jx": here });
    answers(gateway, {});
    await ask().over;
    expect(run.output).toContain("\\u{1b}[2Jx");
  });

  test.each([
    [401, {}, "TalkJS does not take this secret or token: check TALKJS_APP_ID"],
    [404, { errorCode: "NOT_FOUND" }, "TalkJS: it refuses this: (NOT_FOUND, 404)"],
    [200, "<html>", "TalkJS: nothing answers at http://127.0.0.1"],
    [200, {}, "the answer of TalkJS has another form"],
    [200, { data: [] }, "the answer of TalkJS has another form"],
    [200, { data: { alice: { status: 1 } } }, "the answer of TalkJS has another form"],
    [200, "null", "the answer of TalkJS has another form"],
  ])("%i %j from TalkJS is an error", async (status, body, message) => {
    answers(gateway, {});
    talkjs.answer = () => ({ status, body });
    await expect(ask().over).rejects.toThrow(message);
  });

  test("a gateway that refuses is an error", async () => {
    answers(talkjs, {});
    gateway.answer = () => ({ status: 401, body: {} });
    await expect(ask().over).rejects.toThrow("check APP_ID and APP_SECRET");
  });

  test.each([
    [["--status", "busy"], "TalkJS's presence API has no status"],
    [["--filter", '{"fields": []}'], "TalkJS's presence API has no fields"],
    [["--talkjs-url", "talkjs"], "--talkjs-url (TALKJS_URL) must be an address"],
    [["--talkjs-token", ""], "set --talkjs-secret (TALKJS_SECRET) or --talkjs-token (TALKJS_TOKEN)"],
    [["--repeat", "0"], "from 1 to 1000"],
    [["--every", "1"], "such as 90s"],
  ])("%j is wrong usage", async (args, message) => {
    await expect(ask(...args).over).rejects.toThrow(message);
    expect([...talkjs.requests, ...gateway.requests]).toEqual([]);
  });
});
