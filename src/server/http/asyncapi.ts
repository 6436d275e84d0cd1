import type { ZodType } from "zod";
import { FilterSchema } from "../../protocol/filter.ts";
import { ClientMessage, type ClientMessageType } from "../../protocol/messages.ts";
import { type ServerMessageType, SUBPROTOCOL } from "../../protocol/wire.ts";
import { type Json, jsonSchemas } from "./json-schemas.ts";
import { Presence, PresenceSession } from "./schemas.ts";
import { PresencePatch, ServerMessageSchema } from "./server-messages.ts";

/** The messages that answer a message of a client, besides `error`. */
const ANSWERS: Readonly<Record<ClientMessageType, readonly ServerMessageType[]>> = {
  connect: ["connected"],
  refresh: ["ok"],
  open: ["opened"],
  update: ["ok"],
  close: ["closed"],
  subscribe: ["snapshot", "resumed", "count"],
  unsubscribe: ["ok"],
  query: ["result", "count"],
  status: ["ok"],
  last_seen: ["last_seen"],
  ping: ["pong"],
};

type MessageType = ClientMessageType | ServerMessageType;

const SUMMARIES: Readonly<Record<MessageType, string>> = {
  connect: "The first message, within CONNECT_TIMEOUT_MS.",
  refresh: "Another token for the same app and user, before the first one expires.",
  open: "Opens a session, or resumes one.",
  update: "Changes a session.",
  close: "Ends a session.",
  subscribe: "Asks for a snapshot, and for every change after it.",
  unsubscribe: "Ends a subscription.",
  query: "Asks once.",
  status: "Declares the status of the user. Absent fields stay as they are; null resets a field.",
  last_seen: "When users were last seen: asked for, or answered. Users who were never seen are left out.",
  ping: "Asks for a sign of life.",
  connected: "The token is valid.",
  opened: "The session is open.",
  closed: "A session has ended: on request, or by another socket or a back end.",
  snapshot: "The state of a view, in pages. With `reason` it was not asked for: the reader was too slow.",
  resumed: "The subscription goes on where it was; the missed diffs follow.",
  diff: "What has changed in a view.",
  result: "The answer to a query, in pages.",
  count: "The number of users in a result: asked for, or changed.",
  ok: "It is done.",
  pong: "The sign of life.",
  token_expiring: "The token expires soon: send refresh.",
  draining: "The node goes down, and will close this socket.",
  error: "Something was refused. It changed nothing.",
};

/** What comes without being asked for. */
const UNASKED: readonly ServerMessageType[] = [
  "diff",
  "count",
  "snapshot",
  "closed",
  "token_expiring",
  "draining",
  "error",
];

/** The messages of the WebSocket as AsyncAPI 3, from the schemas that check them. */
export function asyncApiDocument(version: string): Json {
  const schemas: Record<string, ZodType> = {
    Filter: FilterSchema,
    Presence,
    PresenceSession,
    PresencePatch,
  };
  /** A message has a schema for each of its shapes. */
  const names = new Map<MessageType, string[]>();
  for (const schema of [...ClientMessage.options, ...ServerMessageSchema.options]) {
    const type = schema.shape.type.value;
    const others = names.get(type) ?? [];
    const name = others.length === 0 ? pascalCase(type) : `${pascalCase(type)}${others.length + 1}`;
    schemas[name] = schema;
    names.set(type, [...others, name]);
  }
  const types = [...names.keys()];
  return {
    asyncapi: "3.0.0",
    info: {
      title: "presence-gateway",
      version,
      description: `The WebSocket, subprotocol \`${SUBPROTOCOL}\` (offering it is optional). Each text frame is one message.`,
      license: { name: "MIT" },
    },
    defaultContentType: "application/json",
    servers: {
      plain: server("ws", "Without TLS: on the machine itself, or behind a proxy."),
      tls: server("wss", "With TLS, which a proxy ends."),
    },
    channels: {
      realtime: {
        address: "/v1/{appId}/realtime",
        description: "A token comes in the first message. Close codes are in the protocol's document.",
        parameters: { appId: { description: "The app, percent-encoded." } },
        messages: Object.fromEntries(types.map((type) => [type, ref(`components/messages/${type}`)])),
      },
    },
    operations: {
      ...Object.fromEntries(
        Object.entries(ANSWERS).map(([type, answers]) => [`receive_${type}`, request(type, answers)]),
      ),
      send_unasked: { action: "send", channel: CHANNEL, messages: UNASKED.map(inChannel) },
    },
    components: {
      messages: Object.fromEntries(types.map((type) => [type, message(type, names.get(type)!)])),
      schemas: jsonSchemas(schemas),
    },
  };
}

const ref = (path: string): Json => ({ $ref: `#/${path}` });
const schemaOf = (name: string): Json => ref(`components/schemas/${name}`);
const inChannel = (type: string): Json => ref(`channels/realtime/messages/${type}`);
const CHANNEL = ref("channels/realtime");

/** `token_expiring` as `TokenExpiring`. */
function pascalCase(type: string): string {
  return type.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function message(type: MessageType, schemas: readonly string[]): Json {
  const payload = schemas.length === 1 ? schemaOf(schemas[0]!) : { oneOf: schemas.map(schemaOf) };
  return { name: type, summary: SUMMARIES[type], payload };
}

function request(type: string, answers: readonly string[]): Json {
  const reply = { channel: CHANNEL, messages: [...answers, "error"].map(inChannel) };
  return { action: "receive", channel: CHANNEL, messages: [inChannel(type)], reply };
}

function server(protocol: "ws" | "wss", description: string): Json {
  const host = {
    default: "127.0.0.1:8080",
    description: "Host and port of a node, or of the proxy before it.",
  };
  return { host: "{host}", protocol, description, variables: { host } };
}
