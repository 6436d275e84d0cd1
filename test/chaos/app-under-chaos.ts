import { mintToken } from "../../src/server/auth/mint.ts";
import { TcpProxy } from "../support/proxy.ts";
import type { Random } from "../support/random.ts";
import { Crowd, type RestingUser } from "./crowd.ts";
import type { GatewayUnderTest } from "./gateway-under-test.ts";
import { Observing } from "./observing.ts";
import { ChaosOracle, type ExpectedSession } from "./oracle.ts";
import type { Result } from "./result.ts";
import { TIMES } from "./times.ts";

export const EVERYTHING = { includeBackgroundSessions: true };

/** A crowd behind its own network. */
export interface Slot {
  readonly name: string;
  readonly proxy: TcpProxy;
  crowd: Crowd;
  /** Whether a fault affects it at the moment. */
  isBusy: boolean;
}

/** One app: its oracle, its observers, and its crowds. */
export class AppUnderChaos {
  readonly id: string;
  readonly secret: string;
  readonly oracle: ChaosOracle;
  readonly observers: Observing[] = [];
  readonly slots: Slot[] = [];
  appToken = "";
  /** What clients of the SDK saw in conversation c1 at the last check. */
  watched: Result[] = [];
  readonly #mark: string;
  readonly #gateway: GatewayUnderTest;
  readonly #random: Random;

  constructor(id: string, secret: string, otherId: string, gateway: GatewayUnderTest, random: Random) {
    this.id = id;
    this.secret = secret;
    this.#mark = markOf(id);
    this.#gateway = gateway;
    this.#random = random;
    this.oracle = new ChaosOracle({
      foreignMarks: [markOf(otherId)],
      canaries: canaries(secret),
      toleranceMs: 400,
    });
  }

  async start(crowds: number, usersEach: number): Promise<void> {
    this.appToken = await mintToken(this.id, this.secret, { tokenType: "app" });
    for (let i = 0; i < crowds; i++) {
      const proxy = await TcpProxy.start(this.#gateway.port);
      const name = `crowd${i}`;
      // The same name exists in both apps, as two users.
      const userIds = Array.from({ length: usersEach }, (_, k) =>
        i + k === 0 ? "same-name" : `${this.id}-${name}-${k}`,
      );
      this.slots.push({ name, proxy, crowd: this.#crowd(userIds, proxy.port), isBusy: false });
    }
  }

  observe(name: string, filter: object, url = () => this.#gateway.url): Observing {
    const seesAll = filter === EVERYTHING && !name.startsWith("slow");
    const observing = new Observing(this.oracle.observer(name, seesAll), filter, url, this.id, this.appToken);
    this.observers.push(observing);
    return observing;
  }

  /** The users of a killed crowd return in another process. */
  revive(slot: Slot): void {
    slot.crowd = this.#crowd(slot.crowd.userIds, slot.proxy.port);
  }

  userToken(userId: string, exp?: number): Promise<string> {
    return mintToken(this.id, this.secret, { tokenType: "user", sub: userId, read: "all" }, exp);
  }

  query(filter: object) {
    return this.#gateway.query(this.id, this.secret, filter);
  }

  /** The expected users according to the clients; undefined while some have not returned. */
  async expected(): Promise<Map<string, ExpectedSession[]> | undefined> {
    const reports = await Promise.all(this.slots.map(({ crowd }) => crowd.report()));
    const expected = new Map<string, ExpectedSession[]>();
    this.watched = [];
    for (const users of reports) {
      if (users === undefined) return undefined;
      for (const user of users) {
        expected.set(user.userId, this.#rows(user));
        if (user.watched !== undefined) this.watched.push(user.watched as Result);
      }
    }
    return expected;
  }

  #rows({ sessions }: RestingUser): ExpectedSession[] {
    return sessions.map(({ sessionId, n, conversation, focus }) => ({
      sessionId,
      fields: {
        selectedConversationId: conversation,
        hasFocus: focus,
        isTyping: false,
        custom: { mark: this.#mark, ...(n !== "" && { n }) },
      },
    }));
  }

  #crowd(userIds: readonly string[], port: number): Crowd {
    const { oracle } = this;
    return new Crowd(
      {
        url: `http://127.0.0.1:${port}`,
        appId: this.id,
        secret: this.secret,
        mark: this.#mark,
        userIds,
        seed: this.#random.below(2 ** 31),
        actEveryMs: 25,
        tokenSeconds: TIMES.tokenSeconds,
      },
      {
        lost: (userId, at) => {
          oracle.record(at, userId, "its client has lost its connection");
          oracle.mayLeave(userId, at + TIMES.windowMs);
        },
        holds: (userId, ids, at) => oracle.holds(userId, ids, at),
        late: (ms, at) => oracle.machineWasLate(ms, at),
      },
    );
  }
}

export function markOf(appId: string): string {
  return `mark-of-${appId}`;
}

/** The app's secret, and the beginning of every token. */
function canaries(secret: string): string[] {
  return [secret, Buffer.from('{"alg":"HS256"').toString("base64url").slice(0, 18)];
}
