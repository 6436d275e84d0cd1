import { expect } from "vitest";
import type { WebhookMessage } from "../../../src/protocol/webhook-message.ts";
import { App } from "../../../src/server/auth/app.ts";
import type { WebhookConfig } from "../../../src/server/auth/webhook-config.ts";
import { AppPresence } from "../../../src/server/gateway/app-presence.ts";
import { readSettings } from "../../../src/server/settings/settings.ts";
import type { AttemptResult, WebhookRequest } from "../../../src/server/webhooks/send-webhook.ts";
import type { WebhookDependencies } from "../../../src/server/webhooks/webhook.ts";
import { endlessTurn, testTelemetry } from "../../support/stubs.ts";
import { WEBHOOK_SECRET } from "../../support/webhook-receiver.ts";
import { microtasks } from "./world.ts";

export const HOOK: WebhookConfig = {
  id: "hook",
  url: "https://example.com/?key=hidden",
  secrets: [WEBHOOK_SECRET],
};

const { limits } = readSettings({ DIFF_INTERVAL_MS: "0" }, { openFiles: undefined, readFile: () => "" });

interface Sent {
  readonly request: WebhookRequest;
  readonly message: WebhookMessage;
  isAborted: boolean;
  answer(result: AttemptResult): Promise<void>;
}

/** One app, and the requests of its webhooks, which a test answers by hand. */
export class Stage {
  readonly presence: AppPresence;
  readonly sent: Sent[] = [];
  readonly log: string[] = [];
  readonly crashes: unknown[] = [];
  now = 1_000;
  #ids = 0;

  constructor() {
    const makeId = () => `id${this.#ids++}`;
    this.presence = new AppPresence(new App({ id: "app", secrets: ["secret"] }), {
      limits,
      telemetry: testTelemetry(),
      makeId,
      clock: this.clock,
      wakeBy: () => {},
      flushTurn: endlessTurn(),
    });
  }

  readonly clock = { now: () => this.now, wallNow: () => 1_700_000_000_000 + this.now };

  readonly dependencies: WebhookDependencies = {
    clock: this.clock,
    makeId: () => `m${this.#ids++}`,
    random: () => 0.5,
    send: (request) => {
      let resolve: (result: AttemptResult) => void;
      const result = new Promise<AttemptResult>((done) => {
        resolve = done;
      });
      const sent: Sent = {
        request,
        message: JSON.parse(request.body.toString()),
        isAborted: false,
        answer: async (answer) => {
          resolve(answer);
          await microtasks();
        },
      };
      this.sent.push(sent);
      return {
        result,
        abort: () => {
          sent.isAborted = true;
        },
      };
    },
    log: {
      info: (details, message) => void this.log.push(`${message} ${JSON.stringify(details)}`),
      warn: (details, message) => void this.log.push(`${message} ${JSON.stringify(details)}`),
    },
    crashed: (error) => void this.crashes.push(error),
  };

  get last(): Sent {
    expect(this.sent.length).toBeGreaterThan(0);
    return this.sent.at(-1)!;
  }

  enter(userId: string): void {
    this.presence.transact(this.now, (sessions) => {
      sessions.open(userId, "widget", {}, { onSessionTaken: () => {} });
    });
  }
}

export const OK: AttemptResult = { kind: "answered", status: 204, body: "" };
