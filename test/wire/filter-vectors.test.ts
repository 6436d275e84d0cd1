import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { readEvents } from "../support/events.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

interface Vectors {
  sessions: ({ ref: string } & Record<string, unknown>)[];
  vectors: { name: string; filter: Record<string, unknown>; data: Record<string, unknown> }[];
  invalid: unknown[];
}
const { sessions, vectors, invalid }: Vectors = JSON.parse(
  readFileSync(new URL("../fixtures/filter-vectors.json", import.meta.url), "utf8"),
);

describe.each(TRANSPORTS)("filter vectors over %s", (transport) => {
  let gateway: TestGateway;
  let client: TestClient;
  const ids = new Map<string, string>();

  beforeAll(async () => {
    gateway = await TestGateway.start(transport);
    client = await gateway.connect();
    for (const { ref, ...fields } of sessions) ids.set(ref, await client.open(fields));
  });
  afterAll(() => gateway.stop());

  /** The expected data with the ids that the gateway made. */
  function expected(data: unknown): unknown {
    return JSON.parse(JSON.stringify(data), (key, value) => (key === "sessionId" ? ids.get(value) : value));
  }

  it.each(vectors)("HTTP: $name", async ({ filter, data }) => {
    expect(await gateway.query(filter)).toEqual(expected(data));
  });

  it.each(vectors)("query: $name", async ({ filter, data }) => {
    expect((await client.ask({ type: "query", filter })).data).toEqual(expected(data));
  });

  it.each(vectors)("subscription: $name", async ({ filter, data }) => {
    const snapshot = await client.subscribe(filter);
    expect(snapshot.data).toEqual(expected(data));
    await client.ask({ type: "unsubscribe", view: snapshot.view });
  });

  it.each(vectors)("stream: $name", async ({ filter, data }) => {
    const events = await readEvents(gateway, filter);
    const { event, data: text } = await events.next();
    expect(event).toBe("snapshot");
    expect(JSON.parse(text).data).toEqual(expected(data));
    events.close();
  });

  it.each(invalid.map((filter) => [JSON.stringify(filter), filter]))(
    "refuses %s at every door",
    async (text, filter) => {
      const http = await gateway.http("POST", `/v1/${APP}/presences`, text);
      expect(http.status).toBe(400);
      expect(http.json.errorCode).toBe("BAD_REQUEST");
      expect(Object.keys(http.json.reasons)).not.toHaveLength(0);
      const stream = await gateway.http(
        "GET",
        `/v1/${APP}/presences/stream?filter=${encodeURIComponent(text as string)}`,
      );
      expect(stream.status).toBe(400);
      const other = await gateway.connect();
      for (const type of ["query", "subscribe"]) {
        const answer = await other.ask({ type, filter });
        expect(answer).toMatchObject({ type: "error", code: "BAD_MESSAGE" });
        expect(answer.issues[0].path).toMatch(/^filter(\.[^.]+)?$/);
      }
    },
  );
});
