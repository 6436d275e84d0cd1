import { expect, it } from "vitest";
import { z } from "zod";
import { jsonSchemas } from "../../../src/server/http/json-schemas.ts";

it("schemas refer to each other, and have what only a schema of its own would need taken off", () => {
  const Part = z.object({ size: z.int().min(0) });
  const Whole = z.object({ parts: z.array(Part), note: z.string().optional() });
  expect(jsonSchemas({ Part, Whole })).toEqual({
    Part: {
      type: "object",
      properties: { size: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } },
      required: ["size"],
    },
    Whole: {
      type: "object",
      properties: {
        parts: { type: "array", items: { $ref: "#/components/schemas/Part" } },
        note: { type: "string" },
      },
      required: ["parts"],
    },
  });
});
