import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { expectError } from "../support/http-errors.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

const V1 = `/v1/${APP}`;

/** Ids that mean something to JavaScript, to paths, or to careless code in between. */
const ODD_IDS = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "👩‍💻",
  "é",
  "e\u0301",
  "\u202eright to left",
  "a b",
  " ",
  "+",
  "a/b",
  "/",
  "..",
  "../../stats",
  "%",
  "%2F",
  "%252F",
  "a%2fb",
  "?filter=1",
  "#x",
  ";x=1",
  ":userId",
  "*",
  "{}",
  "null",
  '"',
  "\\",
  "x".repeat(255),
  "👩".repeat(127),
];
describe.each(TRANSPORTS)("users in paths and queries over %s", (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterAll(() => gateway.stop());

  it.each(["%zz", "%", "%f", "%ff", "%c3", "%ed%a0%80", "%c0%af"])(
    "the malformed id %s is refused",
    async (id) => {
      for (const method of ["GET", "DELETE"]) {
        const { status, json } = await gateway.http(method, `${V1}/users/${id}/sessions`);
        expect([400, 404]).toContain(status);
        expect(json.errorCode).toBe(status === 400 ? "BAD_REQUEST" : "NOT_FOUND");
      }
    },
  );

  it.each(["%00", "%0a", "%7f", "%c2%85"])("the id %s is not one", async (id) => {
    await expectError(await gateway.http("GET", `${V1}/users/${id}/sessions`), 400, "BAD_REQUEST");
  });

  it("an id of 256 UTF-16 units is not one", async () => {
    for (const id of ["x".repeat(256), "%f0%9f%91%a9".repeat(128)]) {
      await expectError(await gateway.http("GET", `${V1}/users/${id}/sessions`), 400, "BAD_REQUEST");
    }
  });

  it.each(["\xff", "é"])("a path with the bare byte %j is refused", async (byte) => {
    const head = `GET ${V1}/users/${byte}/sessions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\n\r\n`;
    expect(statuses(await sendRaw(gateway.gateway.port, Buffer.from(head, "latin1")))).toEqual([400]);
    expect(statuses(await sendRaw(gateway.gateway.port, Buffer.from(head, "utf8")))).toEqual([400]);
  });

  describe("odd ids", () => {
    it.each(ODD_IDS)("%j is a key like any other, in paths and in data", async (id) => {
      const client = await gateway.connect();
      const sessionId = await client.open({
        userId: id,
        selectedConversationId: id,
        custom: { __proto__: "x" },
      });
      const { data } = (await gateway.http("POST", `${V1}/presences`, { userIds: [id] })).json;
      expect(Object.keys(data)).toEqual([id]);
      expect(Object.getOwnPropertyDescriptor(data, id)?.value.widgets).toMatchObject([
        { sessionId, selectedConversationId: id },
      ]);
      expect(Object.keys(await gateway.query({ selectedConversationId: id }))).toEqual([id]);
      const path = `${V1}/users/${encodeURIComponent(id).replaceAll(".", "%2E")}/sessions`;
      expect((await raw("GET", path)).json).toEqual([{ isTyping: false, currentConversationId: id }]);
      expect((await raw("DELETE", path)).json).toEqual({ ended: 1 });
      expect(await client.next("closed")).toEqual({ type: "closed", sessionId, cause: "kicked" });
      expect(await gateway.query()).toEqual({});
      client.terminate();
    });

    it.each(ODD_IDS)("%j can be asked for in the query", async (id) => {
      const client = await gateway.connect();
      await client.open({ userId: id, selectedConversationId: id });
      const path = `${V1}/users/sessions?userId=${encodeURIComponent(id)}`;
      expect((await gateway.http("GET", path)).json).toEqual([
        { isTyping: false, currentConversationId: id },
      ]);
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 1 });
      client.terminate();
    });

    it.each(["", "?", "?userId=", "?userId=a&userId=b", "?userid=a", "?userId=a&x=1", "?userId=%ff"])(
      "and no id is 400: %j",
      async (query) => {
        await expectError(await gateway.http("GET", `${V1}/users/sessions${query}`), 400, "BAD_REQUEST");
        await expectError(await gateway.http("DELETE", `${V1}/users/sessions${query}`), 400, "BAD_REQUEST");
      },
    );

    /** Without the tidying of paths that fetch does: it takes %2E%2E for two dots. */
    async function raw(method: string, path: string) {
      const head = `${method} ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nConnection: close\r\n\r\n`;
      const text = await sendRaw(gateway.gateway.port, head);
      expect(statuses(text)).toEqual([200]);
      const body = Buffer.from(text.slice(text.indexOf("\r\n\r\n") + 4), "latin1").toString();
      return { json: JSON.parse(body) };
    }

    it("one that looks alike is another", async () => {
      const client = await gateway.connect();
      await client.open({ userId: "é" });
      expect(
        (await gateway.http("GET", `${V1}/users/${encodeURIComponent("e\u0301")}/sessions`)).json,
      ).toEqual([]);
      expect((await gateway.http("GET", `${V1}/users/%C3%A9/sessions`)).json).toHaveLength(1);
      expect((await gateway.http("DELETE", `${V1}/users/%c3%a9/sessions`)).json).toEqual({ ended: 1 });
      client.terminate();
    });

    it("leave every object as it was", () => {
      expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(
        [
          "__defineGetter__",
          "__defineSetter__",
          "__lookupGetter__",
          "__lookupSetter__",
          "__proto__",
          "constructor",
          "hasOwnProperty",
          "isPrototypeOf",
          "propertyIsEnumerable",
          "toLocaleString",
          "toString",
          "valueOf",
        ].sort(),
      );
    });
  });

  describe("a user's sessions", () => {
    it("are listed background first, then visible widgets, each in the order of opening", async () => {
      const client = await gateway.connect();
      await client.open({ userId: "alice", selectedConversationId: "w1", isTyping: true });
      await client.open({ userId: "alice", kind: "background", selectedConversationId: "b1" });
      await client.open({
        userId: "alice",
        selectedConversationId: "hidden",
        visible: false,
        isTyping: true,
      });
      await client.open({ userId: "alice" });
      await client.open({ userId: "alice", kind: "background" });
      const path = `${V1}/users/alice/sessions`;
      expect((await gateway.http("GET", path)).json).toEqual([
        { isTyping: false, currentConversationId: "b1" },
        { isTyping: false, currentConversationId: "hidden" },
        { isTyping: false, currentConversationId: null },
        { isTyping: true, currentConversationId: "w1" },
        { isTyping: false, currentConversationId: null },
      ]);
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 5 });
      expect((await gateway.http("DELETE", path)).json).toEqual({ ended: 0 });
      expect((await gateway.http("GET", path)).json).toEqual([]);
      client.terminate();
    });

    it("are ended on every socket, those of other users are not, and disconnected ones cannot be resumed", async () => {
      const [one, two, lost] = [
        await gateway.connect("alice"),
        await gateway.connect("alice"),
        await gateway.connect("alice"),
      ];
      const bob = await gateway.connect("bob");
      const ids = [await one.open({}), await two.open({}), await lost.open({})];
      await bob.open({});
      lost.terminate();
      await expect.poll(() => gateway.presence().sockets).toBe(3);
      expect((await gateway.http("DELETE", `${V1}/users/alice/sessions`)).json).toEqual({ ended: 3 });
      expect(await one.next("closed")).toEqual({ type: "closed", sessionId: ids[0], cause: "kicked" });
      expect(await two.next("closed")).toEqual({ type: "closed", sessionId: ids[1], cause: "kicked" });
      expect(Object.keys(await gateway.query())).toEqual(["bob"]);
      const again = await one.ask({ type: "open", kind: "widget", sessionId: ids[2] });
      expect(again).toMatchObject({ type: "opened", resumed: false });
      for (const client of [one, two, bob]) client.socket.close();
      await expect.poll(() => gateway.presence().sockets).toBe(0);
    });
  });
});
