import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { behind, FOLLOWED, type Make, PROBES, request } from "../support/hidden-requests.ts";
import { sendRaw, statuses } from "../support/raw.ts";
import { TRANSPORTS } from "../support/transports.ts";

// A request is hidden if a proxy in front of the gateway would read it as the body of another one. Each of
// these hides a request that ends a user's sessions, and the user must still be online.

describe.each(TRANSPORTS)("hidden requests over %s", (transport) => {
  let gateway: TestGateway;
  let victims = 0;

  beforeAll(async () => {
    const apps = [
      { id: "guarded-app", secrets: ["another secret"], allowedOrigins: ["https://good.example"] },
    ];
    gateway = await TestGateway.start(transport, { apps });
  });
  afterAll(() => gateway.stop());

  /** Whether a kick that is hidden like this is done, and what came back. */
  async function probe(make: Make): Promise<{ isDone: boolean; answer: string }> {
    const victim = `victim-${victims++}`;
    const client = await gateway.connect(victim);
    await client.open({});
    const kick = request(`DELETE /v1/${APP}/users/${victim}/sessions`, "X-Hidden: yes", "");
    const answer = await sendRaw(gateway.gateway.port, Buffer.from(make(kick), "latin1"));
    const isDone = gateway.presence().table.user(victim) === undefined;
    client.socket.close();
    return { isDone, answer };
  }

  it("two requests in one packet that hide nothing are both done", async () => {
    const { isDone, answer } = await probe(behind("Content-Length: 0"));
    expect(statuses(answer)).toEqual([200, 200]);
    expect(isDone).toBe(true);
  });

  it.concurrent.each(PROBES)("%s", async (_name, make) => {
    const { isDone, answer } = await probe(make);
    expect(isDone).toBe(false);
    // One request, one response: a proxy would give a second one to another client's next request.
    expect(statuses(answer).length).toBeLessThanOrEqual(1);
  });

  it.concurrent.each(FOLLOWED)("nothing is hidden behind %s", async (_name, make) => {
    const { isDone, answer } = await probe(make);
    // On uWebSockets.js the connection ends with chunks, as the library does not check where they end.
    expect(statuses(answer).length).toBeLessThanOrEqual(isDone ? 2 : 1);
    if (transport === "uws") expect(isDone).toBe(false);
    else if (!/GET/.test(_name)) expect([isDone, statuses(answer)]).toEqual([true, [200, 200]]);
  });
});
