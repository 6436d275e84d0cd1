import { describe, expect, it } from "vitest";
import { cut, ping } from "../grammar/messages.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { CONTINUATION, frame, RawWebSocket } from "../support/raw-websocket.ts";
import { TRANSPORTS } from "../support/transports.ts";

const PATH = `/v1/${APP}/realtime`;

describe.concurrent.each(TRANSPORTS)("messages in pieces over %s", (transport) => {
  async function connect(env: Record<string, string> = {}) {
    const gateway = await TestGateway.start(transport, { env });
    const client = await RawWebSocket.open(gateway.gateway.port, { path: PATH });
    client.send({ type: "connect", token: await gateway.token({ tokenType: "app" }) });
    await client.until(() => client.messages.length === 1);
    return { gateway, client };
  }

  it.each([262_144, 16 * 1024 * 1024])(
    "of %i bytes arrive over a network of small packets",
    async (bytes) => {
      const { gateway, client } = await connect({ MAX_MESSAGE_BYTES: String(bytes) });
      await client.writeSliced(cut(frame({ payload: ping(1, bytes) }), 1_400));
      await client.until(() => client.messages.length === 2);
      expect(client.messages[1]).toEqual({ type: "pong", id: 1 });
      client.destroy();
      await gateway.stop();
    },
  );

  it("end the socket when the pieces are many and tiny, or go on at bounded cost", async () => {
    const { gateway, client } = await connect();
    const bytes = frame({ payload: ping(1, 4_000) });
    await client.writeSliced(cut(bytes, 1));
    await client.until(() => client.closeFrame !== undefined || client.messages.length === 2);
    // Known deviation: uWebSockets.js puts the pieces together as they come, and each costs no more than its
    // bytes.
    if (transport === "uws") expect(client.messages[1]).toEqual({ type: "pong", id: 1 });
    else expect(client.closeFrame?.closed).toBe(1008);
    client.destroy();
    await gateway.stop();
  });

  it("of which the end does not come are no sign of life", async () => {
    const { gateway, client } = await connect({ HEARTBEAT_INTERVAL_MS: "600" });
    client.write(frame({ fin: false, payload: "{" }));
    const going = setInterval(
      () => client.write(frame({ opcode: CONTINUATION, fin: false, payload: " " })),
      50,
    );
    expect(await client.ended).toBe("dropped");
    clearInterval(going);
    await gateway.stop();
  });
});
