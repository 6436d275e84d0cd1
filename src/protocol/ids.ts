import { z } from "zod";

/** The longest id of a user, conversation, session or app, in UTF-16 units. */
export const MAX_ID_LENGTH = 255;

const CONTROL = /\p{Cc}/u;

/** What is wrong with a text as an id, or undefined. Names such as `__proto__` are ordinary ids. */
export function idProblem(text: string): string | undefined {
  if (text.length === 0) return "must not be empty";
  if (text.length > MAX_ID_LENGTH) return `must have at most ${MAX_ID_LENGTH} characters`;
  if (!text.isWellFormed()) return "must be well-formed Unicode (it has half a surrogate pair)";
  if (CONTROL.test(text)) return "must not have control characters";
  return undefined;
}

/** An id of a user, conversation, session or app. */
export const Id = z
  .string()
  .check((context) => {
    const problem = idProblem(context.value);
    if (problem !== undefined) {
      context.issues.push({ code: "custom", message: problem, input: context.value, continue: false });
    }
  })
  .meta({ minLength: 1, maxLength: MAX_ID_LENGTH });
