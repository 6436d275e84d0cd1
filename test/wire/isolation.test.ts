import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestClient } from "../support/client.ts";
import { APP, TestGateway } from "../support/gateway.ts";
import { TRANSPORTS } from "../support/transports.ts";

const THERE = "other-app";
const THERE_SECRET = "a secret of another app, just as long as it has to be";

const id = fc.oneof(
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text)),
  fc.constantFrom("__proto__", "a/b", "%2e%2e", "👩‍💻"),
);

/**
 * A request for something of another app, or of a user that the client may not watch, gets the same response
 * as one for something that does not exist. So no client can find out what exists.
 */
describe.each(TRANSPORTS)(
  "sessions and apps of others look as if they did not exist, over %s",
  (transport) => {
    let gateway: TestGateway;
    /** Of the other app; its sessions and views are what is looked for. */
    let owner: TestClient;
    let app: TestClient;
    let user: TestClient;
    let bob: TestClient;

    beforeAll(async () => {
      gateway = await TestGateway.start(transport, {
        apps: [{ id: THERE, secrets: [THERE_SECRET] }],
        env: { MESSAGES_PER_SECOND: "100000", MAX_SESSIONS_PER_SOCKET: "10000" },
      });
      owner = await gateway.socket({ appId: THERE });
      owner.send({
        type: "connect",
        token: await gateway.token({ tokenType: "app" }, undefined, THERE, THERE_SECRET),
      });
      await owner.next("connected");
      app = await gateway.connect();
      user = await gateway.connect({ tokenType: "user", sub: "alice" });
      bob = await gateway.connect({ tokenType: "user", sub: "bob" });
    });
    afterAll(() => gateway.stop());

    /** An answer without what is another each time. */
    const told = (answer: unknown, ...names: readonly string[]) =>
      names.reduce((text, name) => text.replaceAll(JSON.stringify(name), '"*"'), JSON.stringify(answer));

    it("over WebSockets, to an app token of another app", async () => {
      await fc.assert(
        fc.asyncProperty(id, id, async (userId, conversationId) => {
          const sessionId = await owner.open({ userId, selectedConversationId: conversationId });
          const { view, version } = await owner.subscribe({ userIds: [userId] });
          const ask = async (session: string, viewName: string, person: string, conversation: string) => {
            const answers = [];
            for (const message of [
              { type: "update", sessionId: session, hasFocus: true },
              { type: "close", sessionId: session },
              { type: "unsubscribe", view: viewName },
              { type: "query", filter: { userIds: [person] } },
              {
                type: "query",
                filter: { selectedConversationId: conversation, includeBackgroundSessions: true },
              },
            ]) {
              const { id: _, ...answer } = await app.ask(message);
              answers.push(answer);
            }
            const opened = await app.ask({ type: "open", kind: "widget", userId: "me", sessionId: session });
            expect(opened.sessionId).not.toBe(session);
            await app.ask({ type: "close", sessionId: opened.sessionId });
            const since = { view: viewName, version };
            const snapshot = await app.subscribe({ userIds: [person] }, since);
            await app.ask({ type: "unsubscribe", view: snapshot.view });
            answers.push(opened.resumed, snapshot.type, snapshot.version, snapshot.data);
            return told(answers, session, viewName);
          };
          expect(await ask(sessionId, view, userId, conversationId)).toBe(
            await ask(
              "A".repeat(21),
              "B".repeat(21),
              `${userId.slice(0, 200)}-`,
              `${conversationId.slice(0, 200)}-`,
            ),
          );
          await owner.ask({ type: "close", sessionId });
          await owner.ask({ type: "unsubscribe", view });
        }),
        { numRuns: 15 },
      );
      await owner.settled();
      expect(owner.inbox.filter(({ type }) => type !== "diff")).toEqual([]);
    });

    it("over WebSockets, to a user who may not watch them", async () => {
      await fc.assert(
        fc.asyncProperty(id, async (conversationId) => {
          const sessionId = await bob.open({ selectedConversationId: conversationId });
          const ask = async (session: string, person: string, conversation: string) => {
            const answers = [];
            for (const message of [
              { type: "update", sessionId: session, hasFocus: true },
              { type: "close", sessionId: session },
              { type: "open", kind: "widget", userId: person },
              { type: "query", filter: { userIds: [person] } },
              { type: "query", filter: { userIds: ["alice", person] } },
              { type: "query", filter: { selectedConversationId: conversation } },
              { type: "subscribe", filter: { userIds: [person] } },
            ]) {
              const { id: _, ...answer } = await user.ask(message);
              answers.push(answer);
            }
            return told(answers);
          };
          expect(await ask(sessionId, "bob", conversationId)).toBe(
            await ask("A".repeat(21), "nobody", "nowhere"),
          );
          await bob.ask({ type: "close", sessionId });
        }),
        { numRuns: 15 },
      );
    });

    it("over HTTP, with credentials of another app or of this one", async () => {
      const here = await gateway.token({ tokenType: "app" });
      const someone = await gateway.token({ tokenType: "user", sub: "alice" });
      await fc.assert(
        fc.asyncProperty(id, async (userId) => {
          const sessionId = await owner.open({ userId, selectedConversationId: userId });
          const encoded = (text: string) => encodeURIComponent(text).replaceAll(".", "%2E");
          const ask = async (person: string) => {
            const answers = [];
            for (const appId of [APP, THERE]) {
              for (const token of [here, someone, "x"]) {
                const filter = encodeURIComponent(JSON.stringify({ userIds: [person] }));
                for (const [method, path, body] of [
                  ["GET", `users/${encoded(person)}/sessions`],
                  ["DELETE", `users/${encoded(person)}/sessions`],
                  ["POST", "presences", { userIds: [person] }],
                  ["POST", "presences", { selectedConversationId: person }],
                  ["GET", "stats"],
                  // With the right to it, a stream would not end.
                  [appId === APP && token === here ? "HEAD" : "GET", `presences/stream?filter=${filter}`],
                ] as const) {
                  const headers = { authorization: `Bearer ${token}` };
                  const answer = await gateway.http(method, `/v1/${appId}/${path}`, body, headers);
                  answers.push([answer.status, answer.text]);
                }
              }
            }
            return told(answers);
          };
          // Counts are of one's own app, in which nothing has happened.
          expect(await ask(userId)).toBe(await ask(`${userId.slice(0, 200)}-`));
          expect((await owner.ask({ type: "close", sessionId })).type).toBe("closed");
        }),
        { numRuns: 5 },
      );
    });
  },
);
