#!/usr/bin/env node
import { run } from "./cli/program.ts";
import { settingsHelp } from "./server/settings/settings-docs.ts";
import { VERSION } from "./server/version.ts";

// The commands receive from here what their layer may not import.
await run(process.argv.slice(2), {
  version: VERSION,
  settings: settingsHelp(),
  serve: async () => await (await import("./server/serve.ts")).serve(),
  readDevCredentials: async (port) => (await import("./server/development.ts")).readDevCredentials(port),
});
