import fc from "fast-check";
import { fields, filter, statusPatch } from "../model/arbitraries.ts";

// Valid inputs, from which the fuzzer makes invalid ones.

const id = fc.oneof(
  fc.constantFrom("alice", "bob", "c1", "__proto__"),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }),
);
const messageId = fc.nat({ max: 1_000 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const type = <T extends string>(name: T) => fc.constant(name);

/** About as many bytes of JSON as the custom fields of a session may have. */
const largeCustom = fc
  .tuple(fc.integer({ min: 480, max: 512 }), fc.constantFrom("x", "é", "\u0001", '"'))
  .map(([length, character]) => {
    const count = Math.ceil(4_096 / Buffer.byteLength(JSON.stringify(character.repeat(length))));
    return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, character.repeat(length)]));
  });

const session = fc.record({ id: maybe(messageId), sessionId: maybe(id) });

const clientMessage = fc
  .oneof(
    fc.tuple(
      fc.record({
        type: type("open"),
        kind: fc.constantFrom("background", "widget"),
        userId: fc.constantFrom("alice", "bob"),
      }),
      session,
      fields,
    ),
    fc.tuple(fc.record({ type: type("update") }), session, fields),
    fc.tuple(fc.record({ type: type("update"), custom: largeCustom }), session),
    fc.tuple(fc.record({ type: type("close") }), session),
    fc.tuple(
      fc.record({
        type: type("subscribe"),
        id: messageId,
        filter,
        since: maybe(fc.record({ view: id, version: fc.nat() })),
        count: maybe(fc.boolean()),
        patch: maybe(fc.boolean()),
      }),
    ),
    fc.tuple(
      fc.record({ type: type("status"), id: maybe(messageId), userId: fc.constantFrom("alice", "bob") }),
      statusPatch.map(({ expiresInMs, ...patch }) => ({
        ...patch,
        expiresInMs: expiresInMs && 1_000 * expiresInMs,
      })),
    ),
    fc.tuple(fc.record({ type: type("last_seen"), id: messageId, userIds: fc.array(id, { maxLength: 3 }) })),
    fc.tuple(fc.record({ type: type("unsubscribe"), view: id })),
    fc.tuple(fc.record({ type: type("query"), id: messageId, filter, count: maybe(fc.boolean()) })),
    fc.tuple(fc.record({ type: fc.constantFrom("connect", "refresh"), token: fc.constantFrom("", "a.b.c") })),
    fc.tuple(fc.record({ type: type("ping"), id: maybe(messageId) })),
  )
  .map((parts) => Object.assign({}, ...parts));

const value = fc.record({
  status: type("online"),
  backgroundSessions: fc.array(serverSession(), { maxLength: 2 }),
  widgets: fc.array(serverSession(), { maxLength: 2 }),
});

function serverSession() {
  return fc.record({
    sessionId: id,
    selectedConversationId: fc.option(id),
    hasFocus: fc.boolean(),
    isTyping: fc.boolean(),
    custom: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
  });
}

const patch = fc.record({
  changed: fc.dictionary(
    id,
    fc.record({
      selectedConversationId: maybe(fc.option(id)),
      hasFocus: maybe(fc.boolean()),
      custom: maybe(fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 })),
    }),
    { maxKeys: 2 },
  ),
  status: maybe(type("busy")),
  statusText: maybe(fc.option(fc.string())),
});

const data = fc.dictionary(id, value, { maxKeys: 3 });
const position = { view: id, version: fc.nat() };
const serverMessage = fc.oneof(
  fc.record({
    type: type("connected"),
    userId: fc.option(id),
    nodeId: id,
    heartbeatMs: fc.nat(),
    resumeWindowMs: fc.nat(),
    tableId: maybe(id),
  }),
  fc.record({ type: type("opened"), id: messageId, sessionId: id, resumed: fc.boolean() }),
  fc.record({ type: type("closed"), sessionId: id, cause: fc.constantFrom("closed", "kicked", "replaced") }),
  fc.record({ type: type("ok"), id: messageId }),
  fc.record({ type: type("snapshot"), id: maybe(messageId), ...position, data, more: maybe(fc.boolean()) }),
  fc.record({ type: type("resumed"), id: messageId, ...position }),
  fc.record({
    type: type("diff"),
    ...position,
    data: fc.dictionary(id, fc.option(fc.oneof(value, patch)), { maxKeys: 3 }),
    causes: maybe(fc.dictionary(id, type("closed"))),
  }),
  fc.record({ type: type("result"), id: messageId, data, more: maybe(fc.boolean()) }),
  fc.record({ type: type("token_expiring"), expiresInMs: fc.nat() }),
  fc.record({ type: type("draining"), reconnectInMs: fc.nat() }),
  fc.record({
    type: type("error"),
    id: maybe(messageId),
    view: maybe(id),
    code: type("LIMIT_REACHED"),
    message: fc.string(),
  }),
);

const claims = fc.oneof(
  fc.record({
    iss: type("test-app"),
    tokenType: type("app"),
    exp: maybe(fc.integer({ min: 1, max: 4_000_000_000 })),
    aud: maybe(type("test-app")),
  }),
  fc.record({
    iss: type("test-app"),
    tokenType: type("user"),
    sub: id,
    exp: maybe(fc.integer({ min: 1_700_000_000, max: 4_000_000_000 })),
    nbf: maybe(fc.constant(1)),
    read: maybe(
      fc.oneof(
        type("all"),
        fc.record({
          userIds: maybe(fc.array(id, { maxLength: 3 })),
          conversationIds: maybe(fc.array(id, { maxLength: 3 })),
        }),
      ),
    ),
  }),
);

const webhook = fc.record({
  id,
  url: fc.constantFrom("https://example.com/hook?key=value", "http://127.0.0.1:3000/"),
  secrets: fc.array(fc.constantFrom(`whsec_${"A".repeat(32)}`, `whsec_${"B".repeat(64)}`), { minLength: 1 }),
  filter: maybe(filter),
  count: maybe(fc.boolean()),
  intervalMs: maybe(fc.constantFrom(100, 60_000)),
});
const app = fc.record({
  id,
  secrets: fc.array(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 3 }),
  allowedOrigins: maybe(
    fc.array(fc.constantFrom("https://app.example.com", "http://localhost:3000"), { maxLength: 2 }),
  ),
  userGrant: maybe(type("all")),
  requireExp: maybe(fc.boolean()),
  webhooks: maybe(fc.array(webhook, { maxLength: 2 })),
});

/** Always the same, so that the mutations depend only on the seed of the run. */
const sample = <T>(arbitrary: fc.Arbitrary<T>, count = 400): T[] =>
  fc.sample(arbitrary, { seed: 1, numRuns: count });

const count = fc.nat({ max: 2 ** 30 });

/** Entries that nodes of a cluster exchange, see src/server/cluster/record.ts. */
const row = [
  fc.constant(1),
  id,
  id,
  fc.constantFrom("background", "widget"),
  count,
  fc.nat({ max: 5 }),
  fc.nat({ max: 15 }),
  fc.option(id),
  fc.oneof(
    { weight: 5, arbitrary: fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }) },
    { weight: 1, arbitrary: largeCustom },
  ),
] as const;
const fact = fc.oneof(
  fc.tuple(...row),
  // The socket of the session is lost.
  fc.tuple(...row, count),
  fc.tuple(fc.constant(1), id, fc.constant(null), fc.constantFrom("closed", "node-lost")),
);

/** What they exchange about users. */
const profile = fc.tuple(
  fc.constant(1),
  id,
  id,
  fc.constant("profile"),
  count,
  count,
  fc.constantFrom("available", "away", "busy", "dnd", "invisible"),
  fc.option(fc.constantFrom("", "in a call")),
  fc.option(fc.constantFrom("", "🌴")),
  fc.option(count),
  fc.option(count),
  count,
);

export const PROFILES = sample(profile);
export const FACTS = sample(fact);
export const CLIENT_MESSAGES = sample(clientMessage);
export const FILTERS = sample(filter, 200);
export const SERVER_MESSAGES = sample(serverMessage);
export const CLAIMS = sample(claims, 200);
export const APPS = sample(fc.array(app, { minLength: 1, maxLength: 3 }), 100);

/** Keys and values of the protocol. In a wrong place they get further than noise. */
export const WORDS: readonly string[] = [
  "type",
  "id",
  "token",
  "kind",
  "filter",
  "since",
  "view",
  "version",
  "custom",
  "userIds",
  "userId",
  "sessionId",
  "selectedConversationId",
  "hasFocus",
  "isTyping",
  "visible",
  "includeBackgroundSessions",
  "includeInvisible",
  "fields",
  "page",
  "availability",
  "invisible",
  "busy",
  "idle",
  "isIdle",
  "text",
  "emoji",
  "expiresInMs",
  "count",
  "counts",
  "patch",
  "changed",
  "profile",
  "data",
  "more",
  "causes",
  "widgets",
  "backgroundSessions",
  "status",
  "online",
  "cause",
  "code",
  "message",
  "iss",
  "sub",
  "exp",
  "nbf",
  "iat",
  "aud",
  "jti",
  "read",
  "all",
  "tokenType",
  "user",
  "app",
  "conversationIds",
  "secrets",
  "allowedOrigins",
  "userGrant",
  "requireExp",
  "open",
  "update",
  "close",
  "subscribe",
  "unsubscribe",
  "query",
  "connect",
  "refresh",
  "ping",
  "snapshot",
  "diff",
  "result",
  "opened",
  "closed",
  "resumed",
  "error",
  "draining",
  "background",
  "widget",
  "alice",
  "bob",
  "c1",
];
