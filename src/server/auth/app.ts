import { createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { Id } from "../../protocol/ids.ts";
import { MAX_CUSTOM_KEY_LENGTH } from "../../protocol/rules.ts";
import { namesUnknownFields } from "../../protocol/unknown-fields.ts";
import { customFilterProblem } from "./custom-filter-problem.ts";
import { KnownTokens } from "./known-tokens.ts";
import { WebhookConfigs } from "./webhook-config.ts";

/** A scheme that `URL` knows no origin of: an app's own, an extension's, or `file:`, whose host is empty. */
const OTHER_ORIGIN = /^(?!(?:https?|wss?|ftp|blob|data|javascript):)[a-z][a-z\d+.-]*:\/\/[\w.~:[\]-]*$/;

/**
 * Whether a page may have this origin. It is compared with what the page's browser sends, byte for byte. A
 * text that no browser sends would allow nobody, so it is refused.
 */
function isOrigin(text: string): boolean {
  if (text === "null" || OTHER_ORIGIN.test(text)) return true;
  return /^https?:\/\/[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}

const Origin = z.string().refine(isOrigin, {
  message:
    'must be an origin as browsers send it, such as "https://app.example.com", "capacitor://localhost", ' +
    '"file://" or "null": without a path, a slash at its end, or *',
});

const Secret = z.string().check(length(1, 1024, "must have 1 to 1024 characters"));

/** The most keys of `custom` that an app may have indexed. Each change looks up its value of each key. */
const MAX_INDEXED_CUSTOM = 8;

/** The most shards that the nodes of a cluster may use. Each shard is a log in Redis. */
export const MAX_SHARDS = 256;

const fields = {
  id: Id,
  secrets: z.array(Secret).check(length(1, 16, "must have 1 to 16 secrets")),
  allowedOrigins: z.array(Origin).optional(),
  userGrant: z.literal("all").optional(),
  requireExp: z.boolean().optional(),
  /** Keys of `custom` by which sessions are indexed, so that filters may ask for their values alone. */
  indexedCustom: z
    .array(
      z
        .string()
        .check(length(0, MAX_CUSTOM_KEY_LENGTH, `must have at most ${MAX_CUSTOM_KEY_LENGTH} characters`)),
    )
    .check(length(0, MAX_INDEXED_CUSTOM, `must have at most ${MAX_INDEXED_CUSTOM} keys`))
    .optional(),
  /** Whether to keep when users were last seen. */
  lastSeen: z.boolean().optional(),
  /** Over how many of the cluster's shards its users are spread. */
  shards: z.int().min(1).max(MAX_SHARDS).optional(),
  /** Receivers that keep a copy of a filter's result. */
  webhooks: WebhookConfigs.optional(),
};

/** One app, as configured in `APPS`. */
export const AppConfig = z
  .strictObject(fields, { error: namesUnknownFields(Object.keys(fields)) })
  .check(({ value, issues }) => {
    const { indexedCustom = [], webhooks = [] } = value;
    for (const [i, { filter }] of webhooks.entries()) {
      const problem = filter && customFilterProblem({ indexedCustom }, filter);
      if (problem === undefined) continue;
      const path = ["webhooks", i, "filter", problem.path];
      issues.push({ code: "custom", message: problem.message, input: filter, path, continue: false });
    }
  });
export type AppConfig = z.output<typeof AppConfig>;

/** An app that checks the credentials of its clients. It keeps secrets as keys and digests, not as text. */
export class App {
  readonly id: string;
  readonly grantsAll: boolean;
  readonly requireExp: boolean;
  readonly indexedCustom: readonly string[];
  readonly keepsLastSeen: boolean;
  readonly keys: readonly KeyObject[];
  readonly knownTokens = new KnownTokens();
  readonly #digests: readonly Buffer[];
  readonly #origins: ReadonlySet<string> | undefined;

  constructor(config: AppConfig) {
    this.id = config.id;
    this.grantsAll = config.userGrant === "all";
    this.requireExp = config.requireExp ?? false;
    this.indexedCustom = config.indexedCustom ?? [];
    this.keepsLastSeen = config.lastSeen ?? false;
    this.keys = config.secrets.map((secret) => createSecretKey(secret, "utf8"));
    this.#digests = config.secrets.map(digest);
    this.#origins = config.allowedOrigins && new Set(config.allowedOrigins);
  }

  /** Compares with every secret, in a time that reveals nothing about any of them. */
  isSecret(text: string): boolean {
    const shown = digest(text);
    let found = false;
    for (const secret of this.#digests) if (timingSafeEqual(secret, shown)) found = true;
    return found;
  }

  /** Whether a page of this origin may connect. Undefined: the client is not a browser, and may connect. */
  allowsOrigin(origin: string | undefined): boolean {
    return origin === undefined || this.#origins === undefined || this.#origins.has(origin);
  }
}

function digest(text: string): Buffer {
  // Via a string: a `Buffer` that the library creates costs several times as much as one from the pool.
  return Buffer.from(hash("sha256", text, "binary"), "latin1");
}
