import { z } from "zod";
import { length } from "../../protocol/bounds.ts";
import { Id } from "../../protocol/ids.ts";
import { MAX_CUSTOM_KEY_LENGTH } from "../../protocol/rules.ts";
import { namesUnknownFields } from "../../protocol/unknown-fields.ts";
import { customFilterProblem } from "./custom-filter-problem.ts";
import type { JwksSource } from "./jwks-source.ts";
import { KnownTokens } from "./known-tokens.ts";
import { outgoingUrlProblem } from "./outgoing-url.ts";
import { type PublicKey, readPublicKey } from "./public-key.ts";
import { PublicKeys } from "./public-keys.ts";
import { digestOf, SecretKey } from "./secret-key.ts";
import type { Signer } from "./signer.ts";
import { textWithout } from "./text-without.ts";
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

const PUBLIC_PEM = /-----BEGIN [A-Z ]*(?:PUBLIC KEY|CERTIFICATE)-----/;

const Secret = z
  .string()
  .check(length(1, 1024, "must have 1 to 1024 characters"))
  // Everybody knows it, and could sign with it.
  .refine((secret) => !PUBLIC_PEM.test(secret), { message: "is a public key, which belongs into keys" });

/** A text that tokens have in a claim or in their header. */
const TokenText = z.string().check(length(1, 1024, "must have 1 to 1024 characters"));

/** The most public keys of an app, besides those of its JWKS. */
const MAX_KEYS = 16;

const PublicKeyConfig = z
  .strictObject({
    publicKey: z.union([z.string(), z.record(z.string(), z.unknown())], {
      error: "must be a public key in PEM, or a JWK as an object",
    }),
    kid: TokenText.optional(),
  })
  .superRefine(({ publicKey, kid }, context) => {
    const read = readPublicKey(publicKey, kid);
    if (!read.ok) context.addIssue({ code: "custom", path: ["publicKey"], message: read.problem });
  });

/** The most keys of `custom` that an app may have indexed. Each change looks up its value of each key. */
const MAX_INDEXED_CUSTOM = 8;

/** The most shards that the nodes of a cluster may use. Each shard is a log in Redis. */
export const MAX_SHARDS = 256;

const fields = {
  id: Id,
  secrets: z
    .array(Secret, { error: 'must be an array of texts, such as ["use-32-random-characters-or-more"]' })
    .check(length(1, 16, "must have 1 to 16 secrets")),
  allowedOrigins: z.array(Origin).optional(),
  userGrant: z.literal("all").optional(),
  requireExp: z.boolean().optional(),
  /** Public keys of an identity provider, whose user tokens are accepted. */
  keys: z
    .array(PublicKeyConfig)
    .check(length(0, MAX_KEYS, `must have at most ${MAX_KEYS} keys`))
    .optional(),
  /** Where the identity provider has its keys. */
  jwksUrl: textWithout(outgoingUrlProblem).optional(),
  /** What the tokens of the identity provider have as `iss`, instead of the app's id. */
  issuer: TokenText.optional(),
  /** What they must have as `aud`. */
  audience: TokenText.optional(),
  /** Their claim that names the user, instead of `sub`. */
  userIdClaim: TokenText.optional(),
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
  readonly secrets: readonly SecretKey[];
  /** Undefined: only the app's own tokens are accepted. */
  readonly publicKeys: PublicKeys | undefined;
  /** App tokens that its secrets have verified. */
  readonly knownTokens = new KnownTokens();
  readonly #origins: ReadonlySet<string> | undefined;

  /** `jwks`: what is at the `jwksUrl` of the configuration. */
  constructor(config: AppConfig, jwks?: JwksSource) {
    this.id = config.id;
    this.grantsAll = config.userGrant === "all";
    this.requireExp = config.requireExp ?? false;
    this.indexedCustom = config.indexedCustom ?? [];
    this.keepsLastSeen = config.lastSeen ?? false;
    this.secrets = config.secrets.map((secret) => new SecretKey(secret));
    this.publicKeys = publicKeysOf(config, jwks);
    this.#origins = config.allowedOrigins && new Set(config.allowedOrigins);
  }

  /**
   * The secret that a text is; undefined if it is none. Compares with every secret, in a time that reveals
   * nothing about any of them.
   */
  findSecret(text: string): Signer | undefined {
    const digest = digestOf(text);
    let found: Signer | undefined;
    for (const secret of this.secrets) if (secret.hasDigest(digest)) found = secret.signer;
    return found;
  }

  /** Whether the app still accepts what this signer has signed. */
  trusts(signer: Signer): boolean {
    const { fingerprint } = signer;
    if (this.secrets.some((secret) => secret.signer.fingerprint === fingerprint)) return true;
    return this.publicKeys?.trusts(signer) ?? false;
  }

  /** Whether a page of this origin may connect. Undefined: the client is not a browser, and may connect. */
  allowsOrigin(origin: string | undefined): boolean {
    return origin === undefined || this.#origins === undefined || this.#origins.has(origin);
  }
}

function publicKeysOf(config: AppConfig, jwks: JwksSource | undefined): PublicKeys | undefined {
  const { id, keys = [], issuer = id, audience, userIdClaim = "sub" } = config;
  if (keys.length === 0 && jwks === undefined) return undefined;
  const configured = keys.flatMap(({ publicKey, kid }): PublicKey[] => {
    const read = readPublicKey(publicKey, kid);
    return read.ok ? [read.key] : [];
  });
  return new PublicKeys(configured, jwks, { issuer, audience, userIdClaim });
}
