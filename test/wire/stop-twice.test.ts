import { afterEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

let gateway: TestGateway;
afterEach(() => gateway.stop());

describe.each(TRANSPORTS)("stopping again over %s", (transport) => {
  it("ends at once the connections that the first stop gave time, and both stops finish", async () => {
    gateway = await TestGateway.start(transport, { env: { DRAIN_MS: "60000" } });
    const clients = await Promise.all([1, 2, 3, 4].map((user) => gateway.connect(`user-${user}`)));

    const stops = [gateway.gateway.stop(), gateway.gateway.stop()];

    const closes = await Promise.all(clients.map((client) => client.closed));
    expect(closes.map(({ code }) => code)).toEqual([1012, 1012, 1012, 1012]);
    await Promise.all(stops);
  });
});
