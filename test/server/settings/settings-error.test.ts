import { expect, it } from "vitest";
import { SettingsError } from "../../../src/server/settings/settings-error.ts";

it("a settings error can be told from a defect", () => {
  const error = new SettingsError("PORT must be a whole number");
  expect(error).toBeInstanceOf(Error);
  expect(String(error)).toBe("SettingsError: PORT must be a whole number");
});
