import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readEvents } from "../support/events.ts";
import { TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

describe.each(TRANSPORTS)("a stream of many users over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    gateway = await TestGateway.start(transport);
  });
  afterEach(() => gateway.stop());

  it("takes a filter of 1000 UUIDs in its URL", async () => {
    const userIds = Array.from({ length: 1000 }, () => randomUUID());
    const last = await gateway.connect(userIds[999]!);
    await last.open({});

    const events = await readEvents(gateway, { userIds });
    expect(events.response.status).toBe(200);
    expect(Object.keys(JSON.parse((await events.next()).data).data)).toEqual([userIds[999]]);
    events.close();
  });
});
