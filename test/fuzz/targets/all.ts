import type { Target } from "../fuzz.ts";
import { connection } from "./connection.ts";
import { foreignToken, jwks } from "./foreign-keys.ts";
import { filter, http } from "./http.ts";
import { entry, fact, profile } from "./log.ts";
import { decoder, sdk } from "./protocol.ts";
import { settings } from "./settings.ts";
import { token } from "./token.ts";

export const TARGETS: readonly Target[] = [
  decoder,
  sdk,
  settings,
  filter,
  http,
  token,
  foreignToken,
  jwks,
  connection,
  fact,
  profile,
  entry,
];
