// The whole SDK, for tests to use from outside the page.
import * as sdk from "@presence-gateway/client";

Object.assign(globalThis, { sdk });
