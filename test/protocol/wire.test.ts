import { createHash } from "node:crypto";
import { describe, expect, expectTypeOf, it } from "vitest";
import { z } from "zod";
import type { SessionState } from "../../src/core/sessions/session.ts";
import { CLOSE, ERROR_CODES } from "../../src/protocol/codes.ts";
import { FilterSchema } from "../../src/protocol/filter.ts";
import { ClientMessage } from "../../src/protocol/messages.ts";
import { StatusSchema } from "../../src/protocol/status.ts";
import {
  type PresenceFilter,
  type PresenceSession,
  type PresenceValue,
  type ServerMessage,
  type SessionPatch,
  SUBPROTOCOL,
  type ClientMessage as WireMessage,
} from "../../src/protocol/wire.ts";
import * as requests from "../../src/server/http/request-bodies.ts";
import * as bodies from "../../src/server/http/schemas.ts";
import { ServerMessageSchema } from "../../src/server/http/server-messages.ts";
import { WebhookMessageSchema } from "../../src/server/http/webhook-messages.ts";

/** One shape for types that mean the same: intersections merged, everything readonly. */
type Plain<T> = T extends readonly (infer Item)[]
  ? readonly Plain<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Plain<T[Key]> }
    : T;
type InputOf<Type extends WireMessage["type"]> = Plain<
  Extract<z.input<typeof ClientMessage>, { type: Type }>
>;
type SentAs<Type extends WireMessage["type"]> = Plain<Extract<WireMessage, { type: Type }>>;
type SchemaOf<Type extends ServerMessage["type"]> = Plain<
  Extract<z.output<typeof ServerMessageSchema>, { type: Type }>
>;
type Received<Type extends ServerMessage["type"]> = Plain<Extract<ServerMessage, { type: Type }>>;

describe("the schemas agree with the plain types, field by field", () => {
  it("of what clients send", () => {
    expectTypeOf<z.input<typeof ClientMessage>["type"]>().toEqualTypeOf<WireMessage["type"]>();
    expectTypeOf<InputOf<"open">>().toEqualTypeOf<SentAs<"open">>();
    expectTypeOf<InputOf<"update">>().toEqualTypeOf<SentAs<"update">>();
    expectTypeOf<InputOf<"close">>().toEqualTypeOf<SentAs<"close">>();
    expectTypeOf<InputOf<"subscribe">>().toEqualTypeOf<SentAs<"subscribe">>();
    expectTypeOf<InputOf<"unsubscribe">>().toEqualTypeOf<SentAs<"unsubscribe">>();
    expectTypeOf<InputOf<"query">>().toEqualTypeOf<SentAs<"query">>();
    expectTypeOf<InputOf<"status">>().toEqualTypeOf<SentAs<"status">>();
    expectTypeOf<InputOf<"last_seen">>().toEqualTypeOf<SentAs<"last_seen">>();
    expectTypeOf<InputOf<"connect">>().toEqualTypeOf<SentAs<"connect">>();
    expectTypeOf<InputOf<"refresh">>().toEqualTypeOf<SentAs<"refresh">>();
    expectTypeOf<InputOf<"ping">>().toEqualTypeOf<SentAs<"ping">>();
    expectTypeOf<Plain<z.input<typeof FilterSchema>>>().toEqualTypeOf<Plain<PresenceFilter>>();
  });

  it("of what the gateway sends", () => {
    expectTypeOf<z.output<typeof ServerMessageSchema>["type"]>().toEqualTypeOf<ServerMessage["type"]>();
    expectTypeOf<SchemaOf<"connected">>().toEqualTypeOf<Received<"connected">>();
    expectTypeOf<SchemaOf<"opened">>().toEqualTypeOf<Received<"opened">>();
    expectTypeOf<SchemaOf<"closed">>().toEqualTypeOf<Received<"closed">>();
    expectTypeOf<SchemaOf<"snapshot">>().toEqualTypeOf<Received<"snapshot">>();
    expectTypeOf<SchemaOf<"resumed">>().toEqualTypeOf<Received<"resumed">>();
    expectTypeOf<SchemaOf<"diff">>().toEqualTypeOf<Received<"diff">>();
    expectTypeOf<SchemaOf<"result">>().toEqualTypeOf<Received<"result">>();
    expectTypeOf<SchemaOf<"count">>().toEqualTypeOf<Received<"count">>();
    expectTypeOf<SchemaOf<"last_seen">>().toEqualTypeOf<Received<"last_seen">>();
    expectTypeOf<SchemaOf<"ok">>().toEqualTypeOf<Received<"ok">>();
    expectTypeOf<SchemaOf<"pong">>().toEqualTypeOf<Received<"pong">>();
    expectTypeOf<SchemaOf<"token_expiring">>().toEqualTypeOf<Received<"token_expiring">>();
    expectTypeOf<SchemaOf<"draining">>().toEqualTypeOf<Received<"draining">>();
    expectTypeOf<SchemaOf<"error">>().toEqualTypeOf<Received<"error">>();
  });

  it("of users and their sessions, over HTTP too", () => {
    expectTypeOf<Plain<z.output<typeof bodies.Presence>>>().toEqualTypeOf<Plain<PresenceValue>>();
    expectTypeOf<Plain<z.output<typeof bodies.PresenceSession>>>().toEqualTypeOf<Plain<PresenceSession>>();
    expectTypeOf<keyof Omit<PresenceSession, "sessionId"> | "visible" | "isIdle">().toEqualTypeOf<
      keyof Omit<SessionState, "customBytes">
    >();
    expectTypeOf<keyof SessionPatch>().toEqualTypeOf<keyof Omit<SessionState, "customBytes">>();
  });
});

const WHAT_TO_DO = `The wire has changed: clients and gateways out there must go on working together.
- By mistake: undo it.
- On purpose, and old clients and old gateways can ignore it (a field that may be absent, a message that nobody has to
  understand): write it into docs/protocol.md, and put the new hash here.
- On purpose, and they can not: also give SUBPROTOCOL another number, and serve the version before beside it.`;

it("the wire is that of this version of the protocol", () => {
  const schemas = {
    clientMessages: shape(ClientMessage, "input"),
    filter: shape(FilterSchema, "input"),
    serverMessages: shape(ServerMessageSchema, "output"),
    bodies: Object.fromEntries(
      Object.entries(bodies).map(([name, schema]) => [name, shape(schema, "output")]),
    ),
    requests: Object.fromEntries(
      [requests.SessionWrite, requests.Check, requests.LastSeenRequest, requests.Batch, StatusSchema].map(
        (schema, i) => [i, shape(schema, "input")],
      ),
    ),
    webhooks: shape(WebhookMessageSchema, "output"),
    closeCodes: Object.values(CLOSE).map(({ code, retry }) => [code, retry]),
    errorCodes: ERROR_CODES,
  };
  const hashes = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, hashOf(schema)]));
  expect({ SUBPROTOCOL, ...hashes }, WHAT_TO_DO).toEqual({
    SUBPROTOCOL: "presence.v1",
    clientMessages: "96917d7f446a9752",
    filter: "63b5fada69fe16de",
    serverMessages: "3226986ca573fdd4",
    bodies: "161fa85b8d92427c",
    requests: "c809687586b292bc",
    webhooks: "3d61a7fdca34eba0",
    closeCodes: "0167a7031d0db4a4",
    errorCodes: "5419d9ea7092b364",
  });
});

/** The JSON schema without its prose, which is for people. */
function shape(schema: z.ZodType, io: "input" | "output"): unknown {
  const text = JSON.stringify(z.toJSONSchema(schema, { io, unrepresentable: "any" }));
  return JSON.parse(text, (key, value) =>
    key === "description" && typeof value === "string" ? undefined : value,
  );
}

function hashOf(json: unknown): string {
  return createHash("sha256").update(JSON.stringify(json)).digest("hex").slice(0, 16);
}
