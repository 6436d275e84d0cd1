// Runs the test command repeatedly, optionally on a busy machine. Prints how often it passed, and the slowest
// tests.

import { spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, stripVTControlCharacters } from "node:util";

const USAGE = `Usage: npm run test:repeat -- [--runs 10] [--busy] [--command "npm test"]
--busy keeps every core busy meanwhile, with a loop that is pinned to it where the system can do that.
Exit code 1: a run has failed.`;
const SLOWEST = 15;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    busy: { type: "boolean", default: false },
    command: { type: "string", default: "npm test" },
    help: { type: "boolean", short: "h" },
  },
});
const runs = Number(values.runs);
if (values.help || !(runs >= 1)) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}

const folder = mkdtempSync(join(tmpdir(), "presence-gateway-repeat-"));
const loops = values.busy ? keepBusy() : [];
let running;
function endAll() {
  for (const loop of loops) loop.kill("SIGKILL");
  if (running?.exitCode === null && running.signalCode === null) process.kill(-running.pid, "SIGTERM");
}
process.on("exit", endAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** Starts a busy loop per core. A loop ends when this process is gone. */
function keepBusy() {
  const text = `for (;;) {
    for (const end = Date.now() + 1000; Date.now() < end; );
    if (process.ppid !== ${process.pid}) process.exit();
  }`;
  const canPin = spawnSync("taskset", ["--version"]).status === 0;
  return Array.from({ length: availableParallelism() }, (_, core) => {
    const node = [process.execPath, "-e", text];
    const [file, ...args] = canPin ? ["taskset", "-c", String(core), ...node] : node;
    return spawn(file, args, { stdio: "inherit" });
  });
}

/** Runs the command to its end and stores its output in a file. */
async function run(path) {
  const started = performance.now();
  running = spawn(values.command, {
    shell: true,
    detached: true,
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const file = createWriteStream(path);
  for (const stream of [running.stdout, running.stderr]) {
    stream.setEncoding("utf8").on("data", (data) => {
      output += data;
      file.write(data);
    });
  }
  const code = await new Promise((resolve) => running.on("close", (code, signal) => resolve(code ?? signal)));
  file.end();
  return { code, seconds: (performance.now() - started) / 1_000, lines: linesOf(output) };
}

const linesOf = (output) => stripVTControlCharacters(output).split("\n");

/** The maximum time per name, slowest first. */
function slowestOf(times) {
  const most = new Map();
  for (const [name, ms] of times) most.set(name, Math.max(ms, most.get(name) ?? 0));
  return [...most].sort(([, one], [, other]) => other - one).slice(0, SLOWEST);
}

const files = [];
const tests = [];
const seconds = [];
let failed = 0;
const load = values.busy ? `with ${loops.length} busy loops` : "without extra load";
console.log(`${runs} × ${values.command}, ${load}`);
for (let i = 1; i <= runs; i++) {
  const path = join(folder, `run-${i}.log`);
  const result = await run(path);
  seconds.push(result.seconds);
  let inFile = "";
  for (const line of result.lines) {
    // The name of the project is before that of the file.
    const [, file, ms] = /^ [✓❯] +(?:\S+ +)?(\S+\.test\.ts) \(.*?\)? (\d+)ms$/.exec(line) ?? [];
    if (file !== undefined) {
      inFile = file;
      files.push([file, Number(ms)]);
    }
    const [, name, took] = /^ {4,}[✓×] (.*\S) +(\d+)ms$/.exec(line) ?? [];
    if (name !== undefined) tests.push([`${inFile}: ${name}`, Number(took)]);
  }
  const count = result.lines.findLast((line) => /^ +Tests /.test(line))?.trim() ?? "no tests";
  const verdict = result.code === 0 ? "passed" : `FAILED with ${result.code}`;
  console.log(
    `run ${i}: ${verdict}, ${result.seconds.toFixed(1)} s, ${count}, load ${loadavg()[0].toFixed(1)}`,
  );
  if (result.code === 0) continue;
  failed++;
  // The failed tests, and the first error of each.
  let isTold = true;
  for (const line of result.lines) {
    if (/^ FAIL /.test(line)) isTold = false;
    else if (isTold || !/^\S*Error: /.test(line)) continue;
    else isTold = true;
    console.log(`  ${line.trim()}`);
  }
  console.log(`  complete output: ${path}`);
}
console.log(
  `\n${runs - failed} of ${runs} passed; ${Math.min(...seconds).toFixed(0)} to ${Math.max(...seconds).toFixed(0)} s`,
);
console.log("\nThe slowest files (maximum time):");
for (const [name, ms] of slowestOf(files)) console.log(`${(ms / 1_000).toFixed(1).padStart(7)} s  ${name}`);
console.log("\nThe slowest tests (maximum time):");
for (const [name, ms] of slowestOf(tests)) console.log(`${(ms / 1_000).toFixed(1).padStart(7)} s  ${name}`);
process.exit(failed > 0 ? 1 : 0);
