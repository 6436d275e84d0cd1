import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CompiledFilter } from "../../src/core/views/compiled-filter.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import type { Frame } from "../../src/server/gateway/frame.ts";
import { TurnBudget } from "../../src/server/gateway/turn-budget.ts";
import type { FlushPayer } from "../../src/server/gateway/view-channel.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TestSubscriber, testPresence } from "../support/presence.ts";
import { endlessTurn } from "../support/stubs.ts";
import { TRANSPORTS } from "../support/transports.ts";

// A user whom very many watch changes their status without end. What it costs the others is counted: flushes
// and frames, the turns of the event loop that a bystander waits, and the changes that are refused.

const { limits } = readSettings({}, { openFiles: 65_536, readFile: () => "" });
const VIEWS = 10_000;
/** Of as many users, who have the most subscriptions that a socket may have. */
const VIEWS_EACH = 100;

class Watcher extends TestSubscriber {
  frames = 0;
  chars = 0;

  override deliver({ text }: Frame): void {
    this.frames++;
    this.chars += text.length;
  }
}

function world(flushTurn: TurnBudget) {
  const { presence, telemetry, time } = testPresence({ flushTurn });
  const watch = (userIds: string[], payer: FlushPayer = { flushFreeAt: 0 }) => {
    const watcher = new Watcher(payer);
    const channel = presence.liveViews.channel(new CompiledFilter(FilterSchema.parse({ userIds })));
    presence.liveViews.join(channel, watcher);
    return watcher;
  };
  const crowd: Watcher[] = [];
  for (let i = 0; i < VIEWS / VIEWS_EACH; i++) {
    const payer = { flushFreeAt: 0 };
    for (let k = 0; k < VIEWS_EACH; k++) crowd.push(watch(["mallory", `other ${i} ${k}`], payer));
  }
  const connection = { onSessionTaken: () => {} };
  presence.transact(time.now, (life) => life.open("mallory", "widget", {}, connection));
  const alice = presence.transact(time.now, (life) => life.open("alice", "widget", {}, connection));
  const change = (n: number) =>
    presence.transact(time.now, ({ profiles }) => profiles.declare("mallory", { text: `${n}` }));
  const act = (n: number) =>
    presence.transact(time.now, (life) => life.update(alice, { hasFocus: n % 2 === 0 }));
  const counts = () => ({
    frames: crowd.reduce((sum, { frames }) => sum + frames, 0),
    diffs: telemetry.diffs,
  });
  return { time, presence, watch, crowd, change, act, counts };
}

describe(`a status that changes 50 times a second in ${VIEWS} views`, () => {
  it("is flushed once in an interval, and a bystander's views get exactly what is theirs", () => {
    const { time, presence, watch, change, act, counts } = world(endlessTurn());
    const bystander = watch(["alice"]);
    const quiet = watch(["nobody"]);
    time.now += 10_000;
    presence.run(time.now);
    const before = { ...counts(), bystander: bystander.frames };
    const ms = 200;
    for (let n = 0; n < ms / 20; n++) {
      change(n);
      time.now += 10;
      act(n);
      time.now += 10;
      presence.run(time.now);
    }
    const after = counts();
    const intervals = ms / limits.diffIntervalMs + 1;
    expect(after.diffs - before.diffs).toBeLessThanOrEqual((VIEWS + 1) * intervals);
    expect(after.frames - before.frames).toBeLessThanOrEqual(VIEWS * intervals);
    // Its first rest ends on a tick, so after less than two intervals. Then it is flushed on every tick.
    expect(bystander.frames - before.bystander).toBeGreaterThanOrEqual(intervals - 3);
    expect(bystander.frames - before.bystander).toBeLessThanOrEqual(intervals);
    expect(quiet.frames).toBe(0);
    time.now += 10_000;
    presence.run(time.now);
    expect(presence.table.profile("mallory").status.text).toBe(`${ms / 20 - 1}`);
  });

  it("lets a bystander's change pass in the same turns of the event loop as without it", async () => {
    const { time, presence, watch, crowd, change, act } = world(
      new TurnBudget((error) => expect.fail(String(error))),
    );
    const bystander = watch(["alice"]);
    const settle = async () => {
      for (let turns = 0; presence.debugCounts().ready! > 0 && turns < 10_000; turns++) await nextTurn();
      time.now += 10_000;
      presence.run(time.now);
      for (let turns = 0; presence.debugCounts().ready! > 0 && turns < 10_000; turns++) await nextTurn();
    };
    await settle();
    const [frames, served] = [bystander.frames, crowd.map((each) => each.frames)];
    change(0);
    act(0);
    await nextTurn();
    await nextTurn();
    expect(bystander.frames).toBe(frames + 1);
    const isServed = ({ frames }: Watcher, i: number) => frames > served[i]!;
    expect(crowd.filter(isServed).length).toBeLessThan(VIEWS / 2);
    await settle();
    expect(crowd.every(isServed)).toBe(true);
  });
});

describe.each(TRANSPORTS)("a status over %s", (transport) => {
  let gateway: TestGateway;
  beforeEach(async () => {
    // It stands still, so no allowance comes back.
    gateway = await TestGateway.start(transport, { clock: new HandClock() });
  });
  afterEach(() => gateway.stop());

  it("may change as often as a socket and a user may send, and what is refused changes nothing", async () => {
    const bystander = await gateway.connect("bystander");
    await bystander.subscribe({ userIds: ["mallory", "bystander"] });
    const sockets = await Promise.all(Array.from({ length: 6 }, () => gateway.connect("mallory")));
    await sockets[0]!.open({});
    await bystander.next("diff");
    let accepted = 0;
    let last = "";
    for (const [i, socket] of sockets.entries()) {
      for (let n = 0; n < 110; n++) socket.send({ type: "status", id: n, text: `${i} ${n}` });
      await socket.take(({ id }) => id === 109);
      const oks = socket.inbox.filter(({ type }) => type === "ok");
      const errors = socket.inbox.filter(({ type }) => type === "error");
      expect(errors.every(({ code }) => code === "RATE_LIMITED")).toBe(true);
      accepted += oks.length;
      if (oks.length > 0) last = `${i} ${oks.at(-1).id}`;
    }
    // Four times the burst of a socket, less what the sockets sent to connect and open.
    expect(accepted).toBe(4 * 100 - sockets.length - 1);
    expect(gateway.presence().table.profile("mallory").status.text).toBe(last);
    // The bystander has a burst of their own, and got nothing while the view rests.
    for (let n = 0; n < 50; n++) expect((await bystander.ask({ type: "ping" })).type).toBe("pong");
    expect(bystander.inbox.filter(({ type }) => type === "diff").length).toBeLessThanOrEqual(1);
  });

  it("over HTTP may change as often as its app may ask, and other apps have their own rate", async () => {
    await gateway.stop();
    const other = { id: "other", secrets: ["a secret of another app, long enough"] };
    gateway = await TestGateway.start(transport, {
      clock: new HandClock(),
      env: { HTTP_REQUESTS_PER_SECOND: "20" },
      apps: [other],
    });
    const put = async (n: number) =>
      (await gateway.http("PUT", `/v1/${APP}/users/mallory/status`, { text: `${n}` })).status;
    const statuses = [];
    for (let n = 0; n < 50; n++) statuses.push(await put(n));
    expect(statuses.filter((status) => status === 200)).toHaveLength(40);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
    expect(gateway.presence().table.profile("mallory").status.text).toBe("39");
    const authorization = `Bearer ${other.secrets[0]}`;
    expect((await gateway.http("GET", "/v1/other/stats", undefined, { authorization })).status).toBe(200);
  });

  it("that is odd is refused at both doors alike, and changes nothing", async () => {
    const LONE = "\ud800";
    const ODD: Record<string, unknown>[] = [
      ...["text", "emoji"].flatMap((field) =>
        [
          LONE,
          `a${LONE}b`,
          "\udc00\ud83d",
          "\0",
          "\u001b[31m",
          "\u007f",
          "\u0085",
          "x\n",
          1,
          {},
          [],
          true,
        ].map((value) => ({ [field]: value })),
      ),
      { text: "x".repeat(129) },
      { emoji: "👩‍👩‍👧‍👦".repeat(4) },
      { emoji: "👍".repeat(17) },
      ...[0, -1, 999, 1_000.5, 31_536_000_001, 1e308, "1000", true, [1_000]].map((expiresInMs) => ({
        expiresInMs,
      })),
      ...["", "online", "Available", "invisible ", 1, ["busy"], {}].map((availability) => ({ availability })),
      { availability: "busy", text: LONE },
    ];
    const path = `/v1/${APP}/users/mallory/status`;
    const declared = { availability: "away", text: "🌴 until Monday", emoji: "🌴" };
    await gateway.http("PUT", path, declared);
    let socket = await gateway.connect("mallory");
    for (const [i, odd] of ODD.entries()) {
      // A socket may send 19 bad messages.
      if (i % 15 === 14) socket = await gateway.connect("mallory");
      // A lone surrogate is escaped in JSON, and so arrives.
      const answer = await socket.ask({ type: "status", ...odd });
      const field = Object.keys(odd).at(-1);
      expect([answer.code, answer.issues?.[0].path], JSON.stringify(odd)).toEqual(["BAD_MESSAGE", field]);
      const { status, json } = await gateway.http("PUT", path, odd);
      expect([status, Object.keys(json.reasons ?? {})], JSON.stringify(odd)).toEqual([400, [field]]);
    }
    const BODIES = [
      "null",
      "[]",
      '"busy"',
      "1",
      "true",
      "[{}]",
      "{",
      '{"text":"x"}{}',
      "\ufeff{}",
      '{"text":"\u0001"}',
    ];
    for (const body of BODIES) {
      const { status } = await gateway.http("PUT", path, body, { "content-type": "application/json" });
      expect(status, body).toBe(400);
    }
    expect((await gateway.http("GET", path)).json.data).toEqual(declared);
    // What is as long as it may be is taken, and comes back as it was.
    const longest = { availability: "dnd", text: "👩".repeat(64), emoji: "👍".repeat(16) };
    for (const expiresInMs of [1_000, 31_536_000_000]) {
      const { json } = await gateway.http("PUT", path, { ...longest, expiresInMs });
      expect(json.data).toEqual({ ...longest, expiresAt: expect.any(Number) });
    }
  });
});
