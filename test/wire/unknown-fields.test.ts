import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

// To ignore a misspelt `userIds` would be to answer "everyone". So an unknown field is an error, at every
// door.

const V1 = `/v1/${APP}`;
const WRONG: [filter: string, field: string, meant: string | undefined][] = [
  ['{"userId":["bob"]}', "userId", "userIds"],
  ['{"userids":["bob"]}', "userids", "userIds"],
  ['{"conversationId":"c1"}', "conversationId", "selectedConversationId"],
  ['{"focus":true,"hasFocus":true}', "focus", "hasFocus"],
  ['{"expandUsers":true}', "expandUsers", undefined],
  ['{"user.ids":["bob"]}', "user.ids", "userIds"],
  ['{"__proto__":{"userIds":["bob"]}}', "__proto__", undefined],
  ['{"constructor":1}', "constructor", undefined],
];

describe.each(TRANSPORTS)("unknown fields over %s", (transport) => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
    await (await gateway.connect("alice")).open({});
  });
  afterAll(() => gateway.stop());

  const told = (meant: string | undefined) =>
    expect.stringContaining(meant === undefined ? "is not known here" : `did you mean ${meant}?`);
  const reasonsOf = (field: string, meant: string | undefined) =>
    Object.fromEntries([[field, [told(meant)]]]);

  describe.each(WRONG)("of the filter %s", (filter, field, meant) => {
    it("are 400 in a body", async () => {
      const { status, json } = await gateway.http("POST", `${V1}/presences`, filter);
      expect(status).toBe(400);
      expect(json).toEqual({ errorCode: "BAD_REQUEST", reasons: reasonsOf(field, meant) });
    });

    it("are 400 in a stream", async () => {
      const path = `${V1}/presences/stream?filter=${encodeURIComponent(filter)}`;
      const { status, json } = await gateway.http("GET", path);
      expect([status, json.reasons]).toEqual([400, reasonsOf(field, meant)]);
    });

    it.each(["query", "subscribe"])("are BAD_MESSAGE in a %s", async (type) => {
      const client = await gateway.connect();
      client.socket.send(`{"type":"${type}","id":7,"filter":${filter}}`);
      expect(await client.next("error")).toMatchObject({
        id: 7,
        code: "BAD_MESSAGE",
        issues: [{ path: `filter.${field}`, message: told(meant) }],
      });
      client.terminate();
    });
  });

  it("of the parameters of a stream are 400", async () => {
    const { status, json } = await gateway.http("GET", `${V1}/presences/stream?userIds=bob`);
    expect([status, json.reasons]).toEqual([400, { userIds: [expect.stringContaining("?filter=")] }]);
    const misspelt = await gateway.http("GET", `${V1}/presences/stream?filters=%7B%7D`);
    expect(misspelt.json.reasons).toEqual({ filters: [told("filter")] });
  });

  it("of a filter in the URL, where the body is read, are 400", async () => {
    for (const query of ["userIds=bob", "filter=%7B%7D", "x=1&hasFocus=true"]) {
      const { status } = await gateway.http("POST", `${V1}/presences?${query}`, {});
      expect(status).toBe(400);
    }
    expect((await gateway.http("POST", `${V1}/presences?trace=1`, {})).status).toBe(200);
  });

  it("but expandUser, which older clients of TalkJS send, are ignored nowhere", async () => {
    const filter = { userIds: ["alice"], expandUser: true };
    const { json } = await gateway.http("POST", `${V1}/presences`, filter);
    expect(Object.keys(json.data)).toEqual(["alice"]);
    const client = await gateway.connect();
    client.send({ type: "query", id: 1, filter });
    expect(await client.next("result")).toMatchObject({ data: { alice: {} } });
    client.terminate();
    const events = await readEvents(gateway, filter);
    expect((await events.next()).event).toBe("snapshot");
    events.close();
  });

  it("beside the filter of a message are ignored, so that newer clients can talk to older nodes", async () => {
    const client = await gateway.connect();
    client.send({ type: "query", id: 1, filter: {}, userIds: ["bob"], new: { field: 1 } });
    expect(await client.next("result")).toMatchObject({ data: { alice: {} } });
    client.terminate();
  });
});
