import { describe, expect, it } from "vitest";
import { ClientMessage } from "../../../src/protocol/messages.ts";
import { asyncApiDocument } from "../../../src/server/http/asyncapi.ts";
import { ServerMessageSchema } from "../../../src/server/http/server-messages.ts";

interface Ref {
  readonly $ref: string;
}
interface AsyncApi {
  readonly asyncapi: string;
  readonly info: { readonly version: string };
  readonly channels: {
    readonly realtime: { readonly address: string; readonly messages: Record<string, Ref> };
  };
  readonly operations: Record<
    string,
    {
      readonly action: string;
      readonly messages: readonly Ref[];
      readonly reply?: { readonly messages: Ref[] };
    }
  >;
  readonly components: {
    readonly messages: Record<string, { readonly summary: string; readonly payload: object }>;
    readonly schemas: Record<string, { readonly properties?: Record<string, { readonly const?: string }> }>;
  };
}

const document = asyncApiDocument("1.2.3") as unknown as AsyncApi;
const typesOf = (schemas: readonly { readonly shape: { readonly type: { readonly value: string } } }[]) =>
  [...new Set(schemas.map(({ shape }) => shape.type.value))].sort();
const fromClients = typesOf(ClientMessage.options);
const fromGateway = typesOf(ServerMessageSchema.options);

/** The value of every `$ref` in a value. */
function references(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    key === "$ref" ? [item as string] : references(item),
  );
}

function resolve(reference: string): unknown {
  return reference
    .slice(2)
    .split("/")
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document);
}

const messagesOf = (references: readonly Ref[]) => references.map(({ $ref }) => $ref.split("/").at(-1)!);

describe("the AsyncAPI document", () => {
  it("is AsyncAPI 3, with the version that it was given, about the WebSocket", () => {
    expect(document.asyncapi).toBe("3.0.0");
    expect(document.info.version).toBe("1.2.3");
    expect(document.channels.realtime.address).toBe("/v1/{appId}/realtime");
  });

  it("has every message, with a summary", () => {
    const all = [...new Set([...fromClients, ...fromGateway])].sort();
    expect(Object.keys(document.components.messages).sort()).toEqual(all);
    expect(Object.keys(document.channels.realtime.messages).sort()).toEqual(all);
    for (const { summary } of Object.values(document.components.messages)) expect(summary).toMatch(/\.$/);
  });

  it("has an operation for each message of a client, with its answers; all others come unasked", () => {
    const { send_unasked: unasked, ...requests } = document.operations;
    expect(Object.values(requests).flatMap(({ messages }) => messagesOf(messages))).toEqual(
      expect.arrayContaining(fromClients),
    );
    expect(Object.keys(requests)).toHaveLength(fromClients.length);
    const sent = new Set(messagesOf(unasked!.messages));
    for (const { reply } of Object.values(requests)) {
      for (const type of messagesOf(reply!.messages)) sent.add(type);
      expect(messagesOf(reply!.messages)).toContain("error");
    }
    expect([...sent].sort()).toEqual(fromGateway);
  });

  it("refers only to what it has, and has no schema that nothing refers to", () => {
    const all = [...new Set(references(document))];
    expect(all.filter((each) => resolve(each) === undefined)).toEqual([]);
    const named = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
    expect(all.filter((each) => each.startsWith("#/components/schemas/")).sort()).toEqual(named.sort());
  });

  it("names the type of each message in its schema", () => {
    for (const [type, { payload }] of Object.entries(document.components.messages)) {
      const schemas = references(payload).map(
        (each) => resolve(each) as AsyncApi["components"]["schemas"][string],
      );
      expect(schemas.length).toBeGreaterThan(0);
      for (const { properties } of schemas) expect(properties?.type?.const).toBe(type);
    }
  });
});
