import { limitYoungGeneration } from "../../src/server/internals/young-generation.ts";
import { ReloadSignal } from "../../src/server/reload-signal.ts";

// What src/main.ts does for `serve`.
limitYoungGeneration();
const { serve } = await import("../../src/server/serve.ts");
await serve(new ReloadSignal());
