import { App, type AppConfig } from "../../src/server/auth/app.ts";
import { AppPresence, type AppPresenceOptions } from "../../src/server/gateway/app-presence.ts";
import type { Frame } from "../../src/server/gateway/frame.ts";
import type { FlushPayer, Subscriber } from "../../src/server/gateway/view-channel.ts";
import { readSettings } from "../../src/server/settings/settings.ts";
import { endlessTurn, testTelemetry } from "./stubs.ts";

interface TestPresenceOptions extends Partial<AppPresenceOptions> {
  readonly app?: Partial<AppConfig>;
  /** Settings that are not the default. */
  readonly env?: Readonly<Record<string, string>>;
  /** What both clocks show at first, in milliseconds. */
  readonly startAt?: number;
}

/** The presence of one app without a gateway. The test sets its clock, and runs it. */
export function testPresence({ app, env = {}, startAt = 0, ...options }: TestPresenceOptions = {}) {
  const time = { now: startAt };
  const telemetry = testTelemetry();
  let ids = 0;
  const presence = new AppPresence(new App({ id: "app", secrets: ["x"], ...app }), {
    limits: readSettings(env, { openFiles: 65_536, readFile: () => "" }).limits,
    telemetry,
    makeId: () => `id${ids++}`,
    clock: { now: () => time.now, wallNow: () => time.now },
    wakeBy: () => {},
    flushTurn: endlessTurn(),
    ...options,
  });
  return { presence, telemetry, time };
}

/** A subscriber of a view that takes everything, and must not fail. */
export class TestSubscriber implements Subscriber {
  readonly payer: FlushPayer | undefined;

  constructor(payer?: FlushPayer) {
    this.payer = payer;
  }

  deliver(_frame: Frame, _version: number): void {}

  end(): readonly number[] {
    return [];
  }

  fail(error: unknown): void {
    throw error;
  }
}
