import type { z } from "zod";

type Bounded = string | readonly unknown[];

/**
 * Returns a check that bounds the length of a string or list. zod's own `min` and `max` read the `length` of
 * a value before they know its type, and throw for `{"length":{"toString":null}}`.
 */
export function length(min: number, max: number, message: string): z.core.CheckFn<Bounded> {
  return ({ value, issues }) => {
    if (value.length < min || value.length > max) {
      issues.push({ code: "custom", message, input: value, continue: false });
    }
  };
}
