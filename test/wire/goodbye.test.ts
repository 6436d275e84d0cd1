import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("saying goodbye over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterEach(() => gateway.stop());

  it.each([1000, undefined])(
    "ends sessions when the close frame (code %s) comes, not when TCP ends",
    async (code) => {
      const observer = await gateway.connect();
      await observer.subscribe({});
      const alice = await gateway.connect("alice");
      await alice.open({});
      await observer.next("diff");

      // It does not read, so it never sees the gateway's close frame and keeps its end of TCP open.
      alice.socket.pause();
      alice.socket.close(code);

      const diff = await observer.next("diff");
      expect(diff).toMatchObject({ data: { alice: null }, causes: { alice: "closed" } });
    },
  );
});
