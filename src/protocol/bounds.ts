import type { z } from "zod";

type Bounded = string | readonly unknown[];

/**
 * A bound on the length of a text or list, for `check`. zod's own `min` and `max` look at the `length` of whatever has one, before
 * they know that it is a text or list; `{"length":{"toString":null}}` in its place has one that cannot be compared, and they throw.
 */
export function length(min: number, max: number, message: string): z.core.CheckFn<Bounded> {
  return ({ value, issues }) => {
    if (value.length < min || value.length > max) {
      issues.push({ code: "custom", message, input: value, continue: false });
    }
  };
}
