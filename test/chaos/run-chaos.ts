import { spawn } from "node:child_process";
import { once } from "node:events";
import { PROJECT } from "../support/process.ts";

/** Runs the chaos program in its own process. Prints its output when it ends. */
export async function runChaos(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, ["dist/dev/test/chaos/run.js", ...args], { cwd: PROJECT });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (data) => {
      output += data;
    });
  const [code] = await once(child, "close");
  process.stdout.write(output);
  return { code, output };
}
