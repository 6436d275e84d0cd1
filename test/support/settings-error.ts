import { expect } from "vitest";
import { SettingsError } from "../../src/server/settings/settings-error.ts";

/** The message of the SettingsError that a call ends in: one line, and not a long one. */
export function settingsErrorOf(read: () => unknown): string {
  let value: unknown;
  try {
    value = read();
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError);
    const { message } = error as SettingsError;
    expect(message).not.toMatch(/[\r\n\u2028\u2029]/);
    expect(message.length).toBeLessThan(400);
    return message;
  }
  throw new Error(`this was taken: ${JSON.stringify(value)}`);
}
