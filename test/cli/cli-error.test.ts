import { expect, test } from "vitest";
import { CliError } from "../../src/cli/cli-error.ts";

test("an error that the user can fix exits with 2, or with another code", () => {
  expect(new CliError("set --app too")).toMatchObject({
    name: "CliError",
    message: "set --app too",
    exitCode: 2,
  });
  expect(new CliError("serve has no options", 1).exitCode).toBe(1);
});
