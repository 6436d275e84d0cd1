import { z } from "zod";

/** A text that has no problem. The problem must not repeat the text. */
export function textWithout(problemOf: (text: string) => string | undefined) {
  return z.string().check(({ value, issues }) => {
    const message = problemOf(value);
    if (message !== undefined) issues.push({ code: "custom", message, input: value, continue: false });
  });
}
