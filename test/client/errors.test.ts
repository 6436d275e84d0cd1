import { expect, it } from "vitest";
import { PresenceError, protocolError } from "../../src/client/errors.ts";

it("an error has a code for programs and a message for people", () => {
  const error = new PresenceError("TIMEOUT", "no answer in time");
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({ name: "PresenceError", code: "TIMEOUT", message: "no answer in time" });
  expect(String(error)).toBe("PresenceError: no answer in time");
});

it("an error of the gateway says which part of the protocol it broke", () => {
  expect(protocolError("diff")).toMatchObject({ code: "PROTOCOL", message: "bad diff" });
});
