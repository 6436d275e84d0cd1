import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { expect, it } from "vitest";
import { sourceModule } from "../../support/source-module.ts";
import { unless } from "../../support/unless.ts";

const script = (module: string) => `
import { writeSync } from "node:fs";
import { nonBlockingStdout } from ${JSON.stringify(module)};
const own = nonBlockingStdout();
let code;
try { for (;;) writeSync(own, "x".repeat(65536)); } catch (error) { code = error.code; }
process.stderr.write(JSON.stringify({ isAnew: own !== 1, code }));
`;

unless(process.platform === "linux" ? undefined : "only Linux does it", it)(
  "Linux still opens a full pipe anew, such that no write waits",
  async () => {
    // The reader of this pipe holds it open, and does not read before the test says so on descriptor 3. A
    // write that waits makes the test hang.
    const text = script(await sourceModule("src/server/internals/non-blocking-stdout.ts"));
    const command = `"${process.execPath}" --input-type=module -e '${text}' 3>&- | { read line <&3; }`;
    const child = spawn("sh", ["-c", command], { stdio: ["ignore", "ignore", "pipe", "pipe"] });
    const [stderr] = await once(child.stderr!, "data");
    (child.stdio[3] as Writable).end();
    await once(child, "close");
    expect(JSON.parse(stderr), "/proc/self/fd/1 has changed: see internals/non-blocking-stdout.ts").toEqual({
      isAnew: true,
      code: "EAGAIN",
    });
  },
);
