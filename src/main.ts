#!/usr/bin/env node
import { run } from "./cli/program.ts";
import { settingsHelp } from "./server/settings/settings-docs.ts";
import { VERSION } from "./server/version.ts";

// The commands get from here what they may not import: the layers stay below the composition root.
await run(process.argv.slice(2), {
  version: VERSION,
  settings: settingsHelp(),
  serve: async () => await (await import("./server/serve.ts")).serve(),
  readDevCredentials: async (port) => (await import("./server/development.ts")).readDevCredentials(port),
});
