import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const MODULE = fileURLToPath(
  new URL("../../../dist/server/internals/non-blocking-stdout.js", import.meta.url),
);
const SCRIPT = `
import { writeSync } from "node:fs";
import { nonBlockingStdout } from ${JSON.stringify(MODULE)};
const own = nonBlockingStdout();
let code;
try { for (;;) writeSync(own, "x".repeat(65536)); } catch (error) { code = error.code; }
process.stderr.write(JSON.stringify({ isAnew: own !== 1, code }));
`;

it.skipIf(process.platform !== "linux")(
  "Linux still opens a full pipe anew, such that no write waits",
  async () => {
    // The reader of this pipe holds it open, and does not read. It ends, so a write that waits fails the
    // test.
    const command = `"${process.execPath}" --input-type=module -e '${SCRIPT}' | sleep 2`;
    const { stderr } = await promisify(execFile)("sh", ["-c", command]);
    expect(JSON.parse(stderr), "/proc/self/fd/1 has changed: see internals/non-blocking-stdout.ts").toEqual({
      isAnew: true,
      code: "EAGAIN",
    });
  },
);
