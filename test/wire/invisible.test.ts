import { afterAll, afterEach, describe, expect, it } from "vitest";
import { APP, TestGateway } from "../support/gateway.ts";
import { Random } from "../support/random.ts";
import { SEED } from "../support/seed.ts";
import { TRANSPORTS } from "../support/transports.ts";
import { welch } from "../support/welch.ts";

const ASKED = Number(process.env.TIMINGS ?? 400);
/** As long as each other, so that sizes can be compared. */
const [HIDDEN, AWAY] = ["hidden-user-1", "absent-user-1"];

describe.each(TRANSPORTS)(
  "nobody can tell an invisible user from one who is offline, over %s",
  (transport) => {
    let gateway: TestGateway;
    const lines: string[] = [];
    afterEach(() => gateway.stop());
    afterAll(() => void process.stdout.write(lines.join("")));

    it(`by content, size or time (${ASKED} questions each, MODEL_SEED=${SEED})`, async () => {
      const env = {
        DIFF_INTERVAL_MS: "0",
        MESSAGES_PER_SECOND: "1000000",
        HTTP_REQUESTS_PER_SECOND: "1000000",
      };
      gateway = await TestGateway.start(transport, { env, app: { indexedCustom: ["user"] } });
      const hidden = await gateway.connect(HIDDEN);
      await hidden.ask({ type: "status", availability: "invisible", text: "nobody sees this" });
      for (let i = 0; i < 90; i++) {
        const selectedConversationId = `of ${HIDDEN}`;
        await hidden.open({ selectedConversationId, isTyping: true, custom: { user: HIDDEN, page: `${i}` } });
      }
      // The other one was there, with the same status and as many sessions, and has left.
      const away = await gateway.connect(AWAY);
      await away.ask({ type: "status", availability: "invisible", text: "nobody sees this" });
      for (let i = 0; i < 90; i++) await away.open({ custom: { user: AWAY } });
      away.socket.close(1000);
      await away.closed;

      const asker = await gateway.connect({ tokenType: "user", sub: "asker", read: "all" });
      const overSocket = (filter: object, more: object = {}) =>
        asker.ask({ type: "query", id: 7, filter, ...more });
      const overHttp = async (method: string, path: string, body?: unknown) => {
        const { status, headers, text } = await gateway.http(method, path, body);
        return [status, [...headers].filter(([name]) => name !== "date"), text];
      };
      const QUESTIONS: [name: string, ask: (userId: string) => Promise<unknown>][] = [
        ["a query by id", (userId) => overSocket({ userIds: [userId], includeBackgroundSessions: true })],
        ["a query by conversation", (userId) => overSocket({ selectedConversationId: `of ${userId}` })],
        ["a query by custom", (userId) => overSocket({ custom: { user: userId } })],
        ["a count", (userId) => overSocket({ custom: { user: userId } }, { count: true })],
        ["a query over HTTP", (userId) => overHttp("POST", `/v1/${APP}/presences`, { userIds: [userId] })],
        ["the sessions", (userId) => overHttp("GET", `/v1/${APP}/users/${userId}/sessions`)],
      ];
      const random = new Random(SEED);
      for (const [name, ask] of QUESTIONS) {
        const times: Record<string, number[]> = { [HIDDEN]: [], [AWAY]: [] };
        const answers = new Set<string>();
        for (let i = 0; i < 2 * ASKED; i++) {
          const userId = random.oneIn(2) ? HIDDEN : AWAY;
          const before = process.hrtime.bigint();
          const answer = await ask(userId);
          times[userId]!.push(Number(process.hrtime.bigint() - before));
          answers.add(JSON.stringify(answer).replaceAll(userId, "who"));
        }
        expect([...answers], name).toHaveLength(1);
        // What is beside us on the machine decides about figures: they are for people to read. That no
        // session of an invisible user is looked at is held by test/core/views/compiled-filter.test.ts.
        const t = welch(times[HIDDEN]!.slice(50), times[AWAY]!.slice(50));
        lines.push(
          `${name}, ${transport}: Welch's t ${t.toFixed(2)} of ${2 * ASKED} (below 4.5: no difference)\n`,
        );
        expect(Number.isFinite(t)).toBe(true);
      }
      // What the user does is not heard either.
      await asker.ask({ type: "subscribe", filter: { includeBackgroundSessions: true } });
      for (let i = 0; i < 20; i++) await hidden.open({ kind: "background" }).catch(() => {});
      hidden.socket.close(1000);
      await hidden.closed;
      await asker.settled();
      expect(asker.inbox).toEqual([]);
    });
  },
);
