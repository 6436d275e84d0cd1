import { Buffer } from "node:buffer";
import { Webhook } from "standardwebhooks";
import { describe, expect, it, type TestContext } from "vitest";
import { WebhookMessageSchema } from "../../src/server/http/webhook-messages.ts";
import { parseApps } from "../../src/server/settings/parse-apps.ts";
import { APP, SECRET, TestGateway } from "../support/gateway.ts";
import { HandClock } from "../support/hand-clock.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { until } from "../support/until.ts";
import { WebhookCopy, WebhookReceiver } from "../support/webhook-receiver.ts";

const SECRETS = [1, 2].map((byte) => `whsec_${Buffer.alloc(32, byte).toString("base64")}`);
const WINDOW_MS = 15_000;

interface SetUpOptions {
  readonly webhook?: object;
  readonly env?: Record<string, string>;
}

describe.each(TRANSPORTS)("webhooks over %s", (transport) => {
  async function setUp({ onTestFinished }: TestContext, { webhook, env }: SetUpOptions = {}) {
    const receiver = await WebhookReceiver.start();
    const clock = new HandClock();
    const gateway = await TestGateway.start(transport, {
      clock,
      env: { RESUME_WINDOW_MS: String(WINDOW_MS), DIFF_INTERVAL_MS: "0", ...env },
      app: { webhooks: [{ id: "hook", url: receiver.url, secrets: SECRETS, ...webhook }] },
    });
    onTestFinished(async () => {
      await gateway.stop();
      await receiver.stop();
    });
    /** Time passes, and what is due is sent. */
    const turn = (ms: number) => {
      clock.turn(gateway, ms);
      gateway.gateway.webhooks.run(clock.now());
    };
    /** Waits until the gateway has an answer to so many attempts. */
    const answered = (count: number) =>
      until(() => {
        const { deliveries, failures } = gateway.gateway.webhooks.statuses(APP)[0]!;
        return deliveries + failures >= count;
      });
    return { receiver, gateway, turn, answered };
  }

  it("keep a copy at the receiver, from a snapshot after the resume window on", async (context) => {
    const { receiver, gateway, turn, answered } = await setUp(context);
    const alice = await gateway.connect("alice");
    await alice.open({ selectedConversationId: "c1" });
    turn(WINDOW_MS - 100);
    expect(receiver.received).toEqual([]);
    turn(200);
    const copy = new WebhookCopy();
    const { message, headers } = await receiver.nth(1);
    expect(headers).toMatchObject({ "content-type": "application/json", "user-agent": "presence-gateway" });
    expect(WebhookMessageSchema.parse(message)).toEqual(message);
    expect(message).toMatchObject({
      type: "presence.snapshot",
      data: { appId: APP, webhookId: "hook", version: 1, page: 1, more: false },
    });
    expect(copy.apply(message)).toBe(true);
    expect(Object.fromEntries(copy.users)).toEqual(await gateway.query({}));
    await answered(1);

    const bob = await gateway.connect("bob");
    await bob.open({});
    const second = await receiver.nth(2);
    expect(WebhookMessageSchema.parse(second.message)).toEqual(second.message);
    expect(second.message).toMatchObject({
      type: "presence.diff",
      data: { from: 1, version: 2, causes: {} },
    });
    expect(copy.apply(second.message)).toBe(true);
    await answered(2);

    // Within the interval, changes are folded into one message.
    alice.send({ type: "close" });
    bob.send({ type: "update", isTyping: true, id: 1 });
    await bob.next("ok");
    turn(999);
    expect(receiver.received).toHaveLength(2);
    turn(1);
    const third = await receiver.nth(3);
    expect(third.message).toMatchObject({
      data: { from: 2, users: { alice: null }, causes: { alice: "closed" } },
    });
    expect(copy.apply(third.message)).toBe(true);
    expect(Object.fromEntries(copy.users)).toEqual(await gateway.query({}));
  });

  it("sign every attempt with every secret, and repeat a message byte for byte", async (context) => {
    const { receiver, turn, answered } = await setUp(context);
    receiver.script(500, 302, 404);
    turn(WINDOW_MS);
    await answered(1);
    turn(1_250);
    await answered(2);
    turn(2_500);
    await answered(3);
    turn(5_000);
    await answered(4);
    const [first] = receiver.received;
    expect(receiver.received).toHaveLength(4);
    for (const { headers, text } of receiver.received) {
      expect(headers["webhook-id"]).toBe(first!.headers["webhook-id"]);
      expect(text).toBe(first!.text);
      const signatures = headers["webhook-signature"]!.split(" ");
      expect(signatures).toHaveLength(2);
      for (const [i, secret] of SECRETS.entries()) {
        const sent = new Date(1000 * Number(headers["webhook-timestamp"]));
        expect(new Webhook(secret).sign(headers["webhook-id"]!, sent, text)).toBe(signatures[i]);
      }
    }
    const times = receiver.received.map(({ headers }) => Number(headers["webhook-timestamp"]));
    expect(times[3]! - times[0]!).toBeGreaterThanOrEqual(7);
  });

  it("send counts, the first whatever it is", async (context) => {
    const { receiver, gateway, turn, answered } = await setUp(context, { webhook: { count: true } });
    turn(WINDOW_MS);
    await answered(1);
    const alice = await gateway.connect("alice");
    await alice.open({});
    await alice.open({});
    turn(1_000);
    await answered(2);
    expect(receiver.messages.map(({ type, data }) => [type, data])).toEqual([
      ["presence.count", { appId: APP, webhookId: "hook", users: 0 }],
      ["presence.count", { appId: APP, webhookId: "hook", users: 1 }],
    ]);
    for (const message of receiver.messages) expect(WebhookMessageSchema.parse(message)).toEqual(message);
  });

  it("send a snapshot to a receiver that asks for it, and nothing to one that answers 410", async (context) => {
    const { receiver, gateway, turn, answered } = await setUp(context);
    receiver.script({ status: 200, body: '{"resync": true}' }, 200, 410);
    turn(WINDOW_MS);
    await answered(1);
    turn(1);
    await answered(2);
    expect(receiver.messages.map(({ type }) => type)).toEqual(["presence.snapshot", "presence.snapshot"]);
    const alice = await gateway.connect("alice");
    await alice.open({});
    turn(1_000);
    await answered(3);
    expect(gateway.gateway.webhooks.statuses(APP)).toMatchObject([{ off: true, delivering: false }]);
    expect(gateway.log.join("")).toContain("its receiver answered 410");
    // No line has the address or its query.
    expect(gateway.log.join("")).not.toContain("key=value");
    const { text } = await gateway.http("GET", "/metrics", undefined, { authorization: "" });
    const labels = `{app="${APP}",webhook="hook"}`;
    expect(text).toContain(`presence_webhook_deliveries_total${labels} 2\n`);
    expect(text).toContain(`presence_webhook_failures_total${labels} 1\n`);
    expect(text).toContain(`presence_webhook_behind_seconds${labels} 0\n`);
    expect(text).toContain(`presence_webhook_off${labels} 1\n`);
    expect((await gateway.http("GET", `/v1/${APP}/stats`)).json.webhooks).toEqual([
      { id: "hook", deliveries: 2, failures: 1, secondsBehind: 0, off: true, delivering: false },
    ]);
  });

  /** Reads the apps anew: the one with these webhooks, or none. */
  function reload({ gateway }: TestGateway, ...webhooks: readonly object[]): void {
    gateway.reload(parseApps([{ id: APP, secrets: [SECRET], webhooks }], "APPS_FILE"));
  }

  it("that a reload changes begin with a snapshot, and the others go on", async (context) => {
    const { receiver, gateway, turn, answered } = await setUp(context);
    const { webhooks } = gateway.gateway;
    turn(WINDOW_MS);
    await answered(1);
    const config = { id: "hook", url: receiver.url, secrets: [...SECRETS].reverse() };
    reload(gateway, config);
    turn(0);
    reload(gateway, { ...config, intervalMs: 100 });
    turn(0);
    await answered(2);
    expect(receiver.messages.map(({ type }) => type)).toEqual(["presence.snapshot", "presence.snapshot"]);
    reload(gateway);
    turn(0);
    expect(webhooks.statuses(APP)).toEqual([]);
    expect(gateway.presence().subscriptions).toBe(0);
    reload(gateway, config);
    turn(0);
    await receiver.nth(3);
    const elsewhere = { id: "another-app", secrets: [SECRET] };
    gateway.gateway.reload(parseApps([elsewhere], "APPS_FILE"));
    expect(webhooks.statuses(APP)).toEqual([]);
  });

  it("that are switched off are switched on by any reload", async (context) => {
    const { receiver, gateway, turn, answered } = await setUp(context);
    receiver.script(410);
    turn(WINDOW_MS);
    await answered(1);
    expect(gateway.gateway.webhooks.statuses(APP)).toMatchObject([{ off: true }]);
    reload(gateway, { id: "hook", url: receiver.url, secrets: SECRETS });
    turn(0);
    await answered(2);
    expect(receiver.messages.map(({ type }) => type)).toEqual(["presence.snapshot", "presence.snapshot"]);
    expect(gateway.gateway.webhooks.statuses(APP)).toMatchObject([{ off: false, delivering: true }]);
  });
});
