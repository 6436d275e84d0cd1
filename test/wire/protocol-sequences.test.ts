import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ServerMessageSchema } from "../../src/server/http/server-messages.ts";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";

// Walks the numbered sequences of docs/protocol.md. In them, "$name" stands for the first text at that place,
// and for the same text from then on. A received object may have more fields than the written one.

const DOCUMENT = readFileSync(new URL("../../docs/protocol.md", import.meta.url), "utf8");
const SEQUENCES = [...DOCUMENT.matchAll(/^### Sequence (.+?)$[^#]*?```sequence\n(.*?)```/gms)].map(
  ([, title, text]) => [title!, text!.trim().split("\n")] as const,
);

it("the document has its sequences", () => {
  expect(SEQUENCES.length).toBe(DOCUMENT.match(/```sequence/g)?.length);
  expect(SEQUENCES.length).toBeGreaterThan(8);
});

describe.each(TRANSPORTS)("sequences over %s", (transport) => {
  it.each(SEQUENCES)("%s", async (_title, lines) => {
    const settings = lines.filter((line) => line.startsWith("settings "));
    const env = {
      ...STANDARD,
      ...Object.fromEntries(settings.map((line) => line.slice("settings ".length).split("="))),
    };
    const clock = new HandClock();
    const gateway = await TestGateway.start(transport, { clock, env });
    try {
      await walk(gateway, clock, lines);
    } finally {
      await gateway.stop();
    }
  });
});

/** What the document takes for granted. */
const STANDARD = { HEARTBEAT_INTERVAL_MS: "16000", RESUME_WINDOW_MS: "15000" };

/** So far the clock is turned at a time for what a gateway says later. */
const STEP_MS = 50;

async function walk(gateway: TestGateway, clock: HandClock, lines: readonly string[]): Promise<void> {
  const clients = new Map<string, TestClient>();
  const names = new Map<string, string>([
    ["$appToken", await gateway.token({ tokenType: "app" })],
    ["$aliceToken", await gateway.token({ tokenType: "user", sub: "alice" })],
    ["$bobToken", await gateway.token({ tokenType: "user", sub: "bob" })],
  ]);
  const client = async (name: string) => {
    const known = clients.get(name) ?? (await gateway.socket());
    clients.set(name, known);
    return known;
  };
  /** All messages until now have arrived, at both ends. */
  const settle = async () => {
    for (let i = 0; i < 2; i++) await gateway.query({});
  };
  /** What comes next, now or after a while. */
  const next = async ({ inbox }: TestClient, line: string) => {
    for (let waited = 0; inbox.length === 0; waited += STEP_MS) {
      if (waited > 20_000) throw new Error(`nothing comes: ${line}`);
      await settle();
      if (inbox.length === 0) clock.turn(gateway, STEP_MS);
    }
    const message = inbox.shift();
    expect(ServerMessageSchema.safeParse(message).error?.issues, line).toBeUndefined();
    return message;
  };
  for (const line of lines) {
    const [subject = "", verb = "", ...rest] = line.split(" ");
    const text = rest.join(" ");
    if (subject === "settings") continue;
    else if (subject === "wait") {
      await settle();
      clock.turn(gateway, Number(verb));
    } else if (subject === "kick") {
      const { json } = await gateway.http("DELETE", `/v1/${APP}/users/${verb}/sessions`);
      expect(json, line).toEqual({ ended: Number(text) });
    } else if (verb === "->") (await client(subject)).send(fill(text, names));
    else if (verb === "<-") check(await next(await client(subject), line), JSON.parse(text), names, line);
    else if (verb === "closed") expect((await (await client(subject)).closed).code, line).toBe(Number(text));
    else if (verb === "drops") {
      const { sockets } = gateway.presence();
      (await client(subject)).terminate();
      await until(() => gateway.presence().sockets < sockets);
    } else if (verb === "silent") {
      await settle();
      clock.turn(gateway, Number(text));
      await settle();
      expect((await client(subject)).inbox, line).toEqual([]);
    } else throw new Error(`not a step: ${line}`);
  }
}

function fill(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(/\$\w+/g, (name) => names.get(name) ?? name);
}

/** Why users leave is part of each sequence in which they do. */
it("the document names the cause wherever a user leaves", () => {
  const leaves = SEQUENCES.flatMap(([, lines]) => lines).filter((line) => /"data":\{"\w+":null/.test(line));
  expect(leaves.length).toBeGreaterThan(4);
  expect(leaves.filter((line) => !line.includes('"causes":{'))).toEqual([]);
});

function check(received: unknown, written: unknown, names: Map<string, string>, line: string): void {
  if (typeof written === "string" && written.startsWith("$")) {
    expect(received, line).toBeTypeOf("string");
    expect(received, line).toBe(names.get(written) ?? received);
    names.set(written, received as string);
  } else if (Array.isArray(written)) {
    expect(received, line).toHaveLength(written.length);
    for (const [i, item] of written.entries()) check((received as unknown[])[i], item, names, line);
  } else if (typeof written === "object" && written !== null) {
    const fields = Object.entries(written);
    // An empty object is written for an empty one.
    if (fields.length === 0 && line.includes('"data":{}')) expect(received, line).toEqual({});
    for (const [key, value] of fields) {
      const field = (received as Record<string, unknown>)[names.get(key) ?? key];
      check(field, value, names, line);
    }
  } else expect(received, line).toEqual(written);
}
