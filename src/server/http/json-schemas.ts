import { z } from "zod";

/** A value of JSON: a part of a document that describes an interface. */
export type Json = Record<string, unknown>;

/** The schemas as JSON Schema, as `components.schemas` of a document has them, which refer to each other. */
export function jsonSchemas(schemas: Readonly<Record<string, z.ZodType>>): Record<string, Json> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, {
    io: "input",
    unrepresentable: "any",
    uri: (id) => `#/components/schemas/${id}`,
  }).schemas as Record<string, Json>;
  for (const schema of Object.values(made)) {
    delete schema.$schema;
    delete schema.$id;
  }
  return made;
}
