import type { Target } from "../fuzz.ts";
import { connection } from "./connection.ts";
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
  connection,
  fact,
  profile,
  entry,
];
