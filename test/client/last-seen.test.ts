import { describe, expect, it } from "vitest";
import { lastSeen } from "../../src/client/last-seen.ts";
import { holdClock, make, pass, withSession } from "./fake-clock.ts";

holdClock();

describe("when users were last seen", () => {
  it("is asked by id, again after a cut, and answered once", async () => {
    const { client, sockets } = make();
    const ids = ["alice", "__proto__", "nobody"];
    const answer = lastSeen(client, ids);
    ids.push("later");
    await pass(0);
    sockets[0]!.accept();
    expect(sockets[0]!.messages("last_seen")).toMatchObject([{ userIds: ["alice", "__proto__", "nobody"] }]);
    sockets[0]!.end(1006);
    await pass(1_000);
    sockets[1]!.accept();
    const { id } = sockets[1]!.messages("last_seen")[0];
    const data = { alice: { status: "dnd" }, ["__proto__"]: { lastSeenAt: 1_700_000_000_000 } };
    sockets[1]!.say({ type: "last_seen", id, data });
    expect([...(await answer)]).toEqual([
      ["alice", { status: "dnd" }],
      ["__proto__", { lastSeenAt: 1_700_000_000_000 }],
    ]);
  });

  it("rejects when the app does not keep it", async () => {
    const { client, socket } = await withSession();
    const answer = lastSeen(client, ["alice"]).catch((error) => error);
    const { id } = socket.messages("last_seen")[0];
    socket.say({ type: "error", id, code: "NOT_FOUND", message: "not kept" });
    expect(await answer).toMatchObject({ name: "PresenceError", code: "NOT_FOUND" });
  });

  it.each([
    { bob: { status: "online" } },
    { alice: null },
    { alice: {} },
    { alice: { status: 5 } },
    { alice: { lastSeenAt: "now" } },
    { alice: { lastSeenAt: 0.5 } },
    [],
    null,
  ])("is not taken from a gateway that says %j", async (data) => {
    const { client, socket, told } = await withSession();
    const answer = lastSeen(client, ["alice"]).catch((error) => error);
    socket.say({ type: "last_seen", id: socket.messages("last_seen")[0].id, data });
    await pass(0);
    expect(told.at(-1)).toMatchObject(["reconnecting", { error: { code: "PROTOCOL" } }]);
    await pass(31_000);
    expect(await answer).toMatchObject({ code: "TIMEOUT" });
  });
});
