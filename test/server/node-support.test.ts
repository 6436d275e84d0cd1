import { describe, expect, it } from "vitest";
import { nodeWarning } from "../../src/server/node-support.ts";

describe("a Node with known holes", () => {
  it.each(["20.19.0", "20.20.1", "22.12.0", "22.22.1", "24.14.0", "23.11.0", "21.7.3"])(
    "%s is warned of",
    (version) => {
      expect(nodeWarning(version)).toMatch(/known vulnerabilities: take 2\d/);
    },
  );
  it.each(["20.20.2", "20.21.0", "22.22.2", "22.23.0", "24.14.1", "24.20.0", "25.0.0", "26.1.0"])(
    "%s is not",
    (version) => {
      expect(nodeWarning(version)).toBeUndefined();
    },
  );
});
