import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const fill = (prefix: string, value: string | null) =>
  Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`${prefix}-${i}`, value]));

describe.each(TRANSPORTS)("a patch of custom over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterEach(() => gateway.stop());

  it("may delete 32 keys and set 32 others: what counts is what is there afterwards", async () => {
    const alice = await gateway.connect("alice");
    await alice.open({ custom: fill("old", "1") });

    const custom = { ...fill("old", null), ...fill("new", "2") };
    expect((await alice.ask({ type: "update", custom })).type).toBe("ok");

    const { alice: value } = await gateway.query();
    expect(value.widgets[0].custom).toEqual(fill("new", "2"));
    const tooMuch = await alice.ask({ type: "update", custom: { another: "3" } });
    expect(tooMuch).toMatchObject({ type: "error", code: "BAD_MESSAGE" });
  });
});
