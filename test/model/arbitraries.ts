import fc from "fast-check";

// Few names, so that things meet; among them those that break careless maps.
export const USERS = ["alice", "bob", "__proto__", "constructor"] as const;
export const CONVERSATIONS = ["c1", "c2", "__proto__", null] as const;

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

/** Mostly absent, so that filters match something. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

export const userId = fc.constantFrom(...USERS);
export const conversationId = fc.constantFrom(...CONVERSATIONS);

const custom = fc.option(
  fc.dictionary(
    fc.constantFrom("page", "__proto__", "mood"),
    fc.option(fc.constantFrom("", "inbox", "\u0000\ud800")),
  ),
);

export const fields = fc.record({
  visible: maybe(fc.boolean()),
  selectedConversationId: maybe(conversationId),
  hasFocus: maybe(fc.boolean()),
  isTyping: maybe(fc.boolean()),
  isIdle: maybe(fc.boolean()),
  custom: maybe(custom),
});

const customValue = fc.constantFrom("", "inbox", "\u0000\ud800", "other");
/** At least one key is in the app's `indexedCustom`, see `INDEXED`. */
const customFilter = fc
  .tuple(
    fc.oneof(customValue, fc.uniqueArray(customValue, { minLength: 1, maxLength: 3 })),
    fc.option(fc.oneof(customValue, fc.uniqueArray(customValue, { minLength: 1, maxLength: 3 }))),
    fc.constantFrom("page", "__proto__"),
  )
  .map(([value, other, key]) => {
    const entries: [string, string | string[]][] = [[key, value]];
    if (other !== null) entries.push(["mood", other]);
    return Object.fromEntries(entries);
  });
export const INDEXED = ["page", "__proto__"];

export const filter = fc.record({
  includeBackgroundSessions: maybe(fc.boolean()),
  selectedConversationId: maybe(conversationId),
  hasFocus: maybe(fc.boolean()),
  isTyping: maybe(fc.boolean()),
  userIds: maybe(fc.uniqueArray(fc.oneof(userId, fc.constant("nobody")), { maxLength: 3 })),
  status: rarely(
    fc.uniqueArray(fc.constantFrom("online", "idle", "away", "busy", "dnd"), { minLength: 1, maxLength: 4 }),
  ),
  custom: rarely(customFilter),
  fields: rarely(
    fc.array(fc.constantFrom("selectedConversationId", "custom", "hasFocus", "isTyping", "sessionId"), {
      maxLength: 4,
    }),
  ),
  includeInvisible: maybe(fc.boolean()),
});

/** A change of a status. */
export const statusPatch = fc.record({
  availability: maybe(fc.option(fc.constantFrom("available", "away", "busy", "dnd", "invisible"))),
  text: maybe(fc.option(fc.constantFrom("", "in a call", 'a "quote"'))),
  emoji: maybe(fc.option(fc.constantFrom("", "🌴"))),
  expiresInMs: maybe(fc.option(fc.constantFrom(200, 900))),
});

/** Small numbers that pick one of whatever there is at the time. */
const pick = fc.nat({ max: 7 });

export const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("open" as const),
      socket: pick,
      userId,
      kind: fc.constantFrom("background" as const, "widget" as const),
      fields,
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("update" as const), session: pick, fields }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("close" as const), session: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("leave" as const), socket: pick, clean: fc.boolean() }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("resume" as const), session: pick, socket: pick, fields }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("kick" as const), userId }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("declare" as const), userId, patch: statusPatch }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 20, 50, 200, 400, 900),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      filter: pick,
      reader: pick,
      patch: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), reader: pick }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("stall" as const), reader: pick, isSlow: fc.boolean() }),
  },
);
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** What only HTTP can do: to write a session without a socket, and to erase a user. */
export const httpStep = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      userId,
      key: fc.constantFrom("a", "b"),
      kind: fc.constantFrom("widget" as const, "background" as const),
      fields,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("erase" as const), userId }) },
);
export type HttpStep = typeof httpStep extends fc.Arbitrary<infer T> ? T : never;
