import assert from "node:assert/strict";
import { PresenceError } from "../../../src/client/errors.ts";
import { readMessage } from "../../../src/client/server-message.ts";
import { decodeMessage, MAX_PARSED_FOR_ID, readMessageId } from "../../../src/protocol/codec.ts";
import { readHotMessage, readHotText } from "../../../src/protocol/hot-messages.ts";
import { ClientMessage } from "../../../src/protocol/messages.ts";
import type { Issue } from "../../../src/protocol/wire.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { nearTo } from "../mutate.ts";
import { isClientMessage } from "../rules.ts";
import { CLIENT_MESSAGES, SERVER_MESSAGES, WORDS } from "../samples.ts";

/** The result of `JSON.parse` in an object; undefined for invalid JSON. */
export function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** An error is short, names the place, and repeats nothing of the input but the names of unknown fields. */
export function checkIssues(issues: readonly Issue[]): void {
  assert(issues.length >= 1 && issues.length <= 10, `${issues.length} issues`);
  for (const { path, message } of issues) {
    const isUnknown = message.startsWith("is not known here");
    assert.match(path, isUnknown ? /^filter\..{0,65}$/s : /^[\w.]{0,60}$/);
    assert(message.length > 0 && message.length < 300 && !/[\r\n]/.test(message), message);
  }
}

export const decoder: Target = {
  name: "decoder",
  inputs: 300_000,
  make: nearTo(CLIENT_MESSAGES, WORDS),
  check(input): Outcome {
    const json = parse(input);
    const decoded = decodeMessage(input);
    if (json === undefined) {
      assert.equal(decoded.kind, "not-json");
      return "refused";
    }
    assert.equal(decoded.kind, isClientMessage(json.value) ? "message" : "bad");
    const hot = readHotMessage(json.value);
    const known = readHotText(input);
    for (const read of [hot, known]) {
      // Absent fields may be present as undefined.
      if (read !== undefined) assert.deepStrictEqual(withoutUndefined(read), ClientMessage.parse(json.value));
    }
    if (decoded.kind === "message") return "taken";
    if (decoded.kind === "bad") {
      checkIssues(decoded.issues);
      const id = readMessageId(input);
      assert(id === undefined || (Number.isSafeInteger(id) && id >= 0));
      // Only the ends of a long text are compared.
      if (input.length <= MAX_PARSED_FOR_ID) assert.equal(decoded.id, id);
    }
    return "refused";
  },
};

export const sdk: Target = {
  name: "sdk",
  inputs: 590_000,
  make: nearTo(SERVER_MESSAGES, WORDS),
  check(input): Outcome {
    try {
      const message = readMessage(input);
      if (message === undefined) return "refused";
      // An accepted message contains what was sent, and nothing more.
      assert.deepEqual(Object.keys(message), Object.keys(parse(input)!.value as object));
      return "taken";
    } catch (error) {
      assert(error instanceof PresenceError && error.code === "PROTOCOL", error as Error);
      assert.match(error.message, /^bad \w+$/);
      return "refused";
    }
  },
};

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
