import { z } from "zod";
import { idProblem, MAX_ID_LENGTH } from "./rules.ts";

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
