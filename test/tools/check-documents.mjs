// Checks what a node says about itself with the tools of those formats: promtool for /metrics, redocly for
// /openapi.json, and AsyncAPI's own parser for /asyncapi.json. After `npm run build`:
//
//   npm run check:documents
//
// The two packages are fetched for this run. They are too large to install with the project.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const REDOCLY = "@redocly/cli@2.38.0";
const ASYNCAPI = "@asyncapi/parser@3.6.6";
const APPS = JSON.stringify([{ id: "app", secrets: ["a secret of the app, long enough to be one"] }]);

const folder = mkdtempSync(join(tmpdir(), "presence-gateway-documents-"));
const gateway = spawn(process.execPath, ["dist/main.js"], {
  env: { PATH: process.env.PATH, APPS, HOST: "127.0.0.1", PORT: "0", DRAIN_MS: "0" },
  stdio: ["ignore", "pipe", "inherit"],
});
let failures = 0;
try {
  const port = await portOf(gateway);
  const read = async (path) => await (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  checkMetrics(await read("/metrics"));
  checkOpenApi(await read("/openapi.json"));
  await checkAsyncApi(await read("/asyncapi.json"));
} finally {
  const ended = once(gateway, "close");
  gateway.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true });
}
process.exit(failures === 0 ? 0 : 1);

async function portOf(child) {
  let output = "";
  for await (const chunk of child.stdout) {
    output += chunk;
    const port = /"port":(\d+).*"msg":"started"/.exec(output)?.[1];
    if (port === undefined) continue;
    child.stdout.resume();
    return port;
  }
  throw new Error("the gateway did not start");
}

function report(name, isClean, remarks) {
  console.log(`${name}: ${isClean ? "clean" : `not clean\n${remarks}`}`);
  if (!isClean) failures++;
}

function checkMetrics(text) {
  const { error, status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  if (error === undefined) return report("/metrics", status === 0 && stderr === "", stdout + stderr);
  if (process.env.CI) return report("/metrics", false, "promtool is not installed");
  console.log("/metrics: not checked, since promtool is not installed");
}

function checkOpenApi(text) {
  const file = join(folder, "openapi.json");
  writeFileSync(file, text);
  const args = ["-y", REDOCLY, "lint", "--extends", "recommended-strict", file];
  const { status, stdout, stderr } = spawnSync("npx", args, { cwd: folder, encoding: "utf8" });
  report("/openapi.json", status === 0, stdout + stderr);
}

async function checkAsyncApi(text) {
  const args = ["install", "--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder];
  execFileSync("npm", [...args, ASYNCAPI], { stdio: ["ignore", "ignore", "inherit"] });
  const { Parser } = createRequire(join(folder, "x.js"))("@asyncapi/parser");
  const found = await new Parser().validate(text);
  // A newer minor version of the format, and tags for a catalogue, are matters of taste.
  const remarks = found.filter(({ severity }) => severity <= 1);
  report(
    "/asyncapi.json",
    remarks.length === 0,
    remarks.map((each) => `${each.path.join(".")}: ${each.message}`).join("\n"),
  );
}
