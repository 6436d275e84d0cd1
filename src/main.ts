#!/usr/bin/env node
import { isServe } from "./cli/is-serve.ts";
import { limitYoungGeneration } from "./server/internals/young-generation.ts";
import { ReloadSignal } from "./server/reload-signal.ts";

const args = process.argv.slice(2);
const reloadSignal = new ReloadSignal();
if (isServe(args)) {
  reloadSignal.listen();
  // Before anything else is loaded, because that lets the young generation grow. A command ends soon.
  limitYoungGeneration();
}

const { run } = await import("./cli/program.ts");
const { settingsHelp } = await import("./server/settings/settings-docs.ts");
const { VERSION } = await import("./server/version.ts");

// The commands receive from here what their layer may not import.
await run(args, {
  version: VERSION,
  settings: settingsHelp(),
  serve: async () => await (await import("./server/serve.ts")).serve(reloadSignal),
  readDevCredentials: async (port) => (await import("./server/development.ts")).readDevCredentials(port),
});
