import { z } from "zod";
import { idProblem, MAX_ID_LENGTH } from "./rules.ts";

/** What JSON Schema can say of an id. It counts characters; the gateway counts UTF-16 units. */
export const ID_META = {
  minLength: 1,
  maxLength: MAX_ID_LENGTH,
  pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
} as const;

/** An id of a user, conversation, session or app. */
export const Id = z
  .string()
  .check((context) => {
    const problem = idProblem(context.value);
    if (problem !== undefined) {
      context.issues.push({ code: "custom", message: problem, input: context.value, continue: false });
    }
  })
  .meta(ID_META);

/** The most bad ids of a list that are reported. The rest of the list is not checked. */
const MAX_BAD_IDS = 10;

/**
 * A list of `min` to `max` ids. Checked by hand: zod creates an issue for each bad id, which takes thousands
 * of times as long as it takes to send the list.
 */
export function idList(max: number, min = 0): z.ZodType<string[], readonly string[]> {
  const list = z.any().check(({ value, issues }) => {
    const add = (message: string, path?: number) => {
      issues.push({
        code: "custom",
        message,
        input: value,
        continue: false,
        ...(path !== undefined && { path: [path] }),
      });
    };
    if (!Array.isArray(value)) return add("must be a list of ids");
    if (value.length > max) return add(`must have at most ${max} ids`);
    if (value.length < min) return add(`must have at least ${min}`);
    let bad = 0;
    for (let i = 0; i < value.length && bad < MAX_BAD_IDS; i++) {
      const id: unknown = value[i];
      const problem = typeof id === "string" ? idProblem(id) : "must be a text";
      if (problem === undefined) continue;
      bad++;
      add(problem, i);
    }
  });
  const items = { type: "string", ...ID_META } as const;
  const size = { ...(min > 0 && { minItems: min }), maxItems: max };
  return list.meta({ type: "array", items, ...size }) as unknown as z.ZodType<string[], readonly string[]>;
}
