import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { Random } from "../support/random.ts";
import { sendRaw } from "../support/raw.ts";
import { type FrameOptions, frame } from "../support/raw-websocket.ts";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { mutateText, nearTo } from "./mutate.ts";
import { CLIENT_MESSAGES, FILTERS, WORDS } from "./samples.ts";

const MESSAGES = Number(process.env.FUZZ_MESSAGES ?? 3_000);
const BYTES = Number(process.env.FUZZ_CONNECTIONS ?? 400);
const AT_ONCE = 20;
const QUIET_MS = 100;

describe.each(TRANSPORTS)(`input over real sockets with %s (MODEL_SEED=${SEED})`, (transport) => {
  let gateway: TestGateway;

  beforeAll(async () => {
    gateway = await TestGateway.start(transport, {
      env: {
        MESSAGES_PER_SECOND: "1000000",
        TRUST_PROXY: "127.0.0.1",
        METRICS_TOKEN: SECRET,
        RESUME_WINDOW_MS: "0",
      },
    });
  });
  afterAll(() => gateway.stop());

  /** A bystander. Nobody else may change its presence. */
  async function expectUnharmed(sessionId: string): Promise<void> {
    expect((await gateway.query({ userIds: ["bystander"] })).bystander.widgets).toEqual([
      { sessionId, selectedConversationId: "quiet", custom: { a: "1" }, hasFocus: false, isTyping: false },
    ]);
    expect((await gateway.http("GET", "/metrics")).text).toMatch(/^presence_handler_crashes_total 0$/m);
    expect(gateway.log.join("")).not.toMatch(/crash|"level":(50|60)/);
  }

  async function bystander() {
    const client = await gateway.connect("bystander");
    const fields = { selectedConversationId: "quiet", custom: { a: "1" } };
    return { client, sessionId: await client.open(fields) };
  }

  it("messages: bystanders notice nothing", async () => {
    const random = new Random(SEED);
    const near = nearTo(CLIENT_MESSAGES, WORDS, 10);
    const { client, sessionId } = await bystander();
    const url = `ws://127.0.0.1:${gateway.gateway.port}/v1/${APP}/realtime`;
    const token = await gateway.token({ tokenType: "user", sub: "alice", read: "all" });
    let sent = 0;
    let lives = 0;
    const started = performance.now();
    const visit = async () => {
      while (sent < MESSAGES) {
        lives++;
        const socket = new WebSocket(url);
        const texts = Array.from({ length: 20 }, () => near(random));
        sent += texts.length;
        await new Promise<void>((resolve) => {
          socket.on("error", () => {});
          socket.on("close", resolve);
          socket.on("open", () => {
            socket.send(JSON.stringify({ type: "connect", token }));
            for (const text of texts) socket.send(text);
            socket.close(random.pick([1000, 1001, 4000]));
          });
          socket.on("message", (data) => JSON.parse(String(data)));
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, visit));
    await expectUnharmed(sessionId);
    client.terminate();
    const perSecond = Math.round((1_000 * sent) / (performance.now() - started));
    process.stdout.write(
      `fuzz live messages over ${transport}: ${sent} on ${lives} sockets, ${perSecond}/s, seed ${SEED}\n`,
    );
  });

  it("bytes: every connection ends or gets a response, and bystanders notice nothing", async () => {
    const random = new Random(SEED + 1);
    const { client, sessionId } = await bystander();
    const statuses = new Map<string, number>();
    const started = performance.now();
    let sent = 0;
    const visit = async () => {
      while (sent++ < BYTES) {
        const text = await sendRaw(gateway.gateway.port, makeBytes(random), QUIET_MS);
        const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? (text === "" ? "nothing" : "frames");
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // Whatever arrives, there is no internal error, and no response reveals internals.
        expect(text).not.toMatch(/HTTP\/1\.1 50[0-24]|node_modules|\bat \S+:\d+:\d+/);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, visit));
    await expectUnharmed(sessionId);
    client.terminate();
    await expect.poll(() => gateway.presence().sockets).toBe(0);
    const told = [...statuses].sort().map(([status, count]) => `${count}× ${status}`);
    const perSecond = Math.round((1_000 * BYTES) / (performance.now() - started));
    process.stdout.write(
      `fuzz live bytes over ${transport}: ${BYTES}, ${perSecond}/s, ${told.join(", ")}, seed ${SEED + 1}\n`,
    );
  });
});

const near = nearTo(FILTERS, WORDS, 10);

/** A near miss of a request, or an upgrade followed by near misses of frames. */
function makeBytes(random: Random): Buffer {
  const body = near(random);
  const lines = random.pick([
    [
      `POST /v1/${APP}/presences HTTP/1.1`,
      `Authorization: Bearer ${SECRET}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
    ],
    [
      `GET /v1/${APP}/presences/stream?filter=${encodeURIComponent(body.toWellFormed())} HTTP/1.1`,
      `Authorization: Bearer ${SECRET}`,
    ],
    ["GET /metrics HTTP/1.1", "X-Forwarded-For: 10.1.2.3:80, [::1]:5", "Forwarded: for=x"],
    ["GET /dashboard/ HTTP/1.1", "Accept-Encoding: br;q=0, gzip"],
    [
      `GET /v1/${APP}/realtime HTTP/1.1`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "X-Forwarded-For: 1.2.3.4, ::ffff:10.0.0.1",
    ],
  ]);
  let head = [...lines, "Host: localhost", ""].join("\r\n");
  for (let n = random.oneIn(2) ? 0 : 1 + random.below(2); n > 0; n--) head = mutateText(random, head);
  const tail = lines[1] === "Connection: Upgrade" ? frames(random) : Buffer.from(body);
  return Buffer.concat([Buffer.from(`${head}\r\n`, random.oneIn(2) ? "latin1" : "utf8"), tail]);
}

/** WebSocket frames with some wrong bits. */
function frames(random: Random): Buffer {
  const all: Buffer[] = [];
  for (let n = 1 + random.below(4); n > 0; n--) {
    const first = random.oneIn(3) ? random.below(256) : 0x81;
    const options: FrameOptions = {
      fin: first >= 0x80,
      rsv: (first >> 4) & 7,
      opcode: first & 15,
      payload: near(random).slice(0, 120),
      ...(random.oneIn(8) && { mask: null }),
      ...(random.oneIn(6) && { lengthBytes: 0, length: BigInt(random.below(126)) }),
    };
    all.push(frame(options));
  }
  return Buffer.concat(all);
}
