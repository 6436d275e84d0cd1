import { hash, timingSafeEqual, webcrypto } from "node:crypto";
import { z } from "zod";
import { length } from "../protocol/bounds.ts";
import { Id } from "../protocol/ids.ts";

const Origin = z.string().refine((text) => URL.canParse(text) && new URL(text).origin === text, {
  message: 'must be an origin as browsers send it, such as "https://app.example.com"',
});

const Secret = z.string().check(length(1, 1024, "must have 1 to 1024 characters"));

/** A tenant, as it stands in `APPS`. */
export const AppConfig = z.strictObject({
  id: Id,
  secrets: z.array(Secret).check(length(1, 16, "must have 1 to 16 secrets")),
  allowedOrigins: z.array(Origin).optional(),
  userGrant: z.literal("all").optional(),
  requireExp: z.boolean().optional(),
});
export type AppConfig = z.output<typeof AppConfig>;

/** An app, ready to check what its clients show. Secrets live in here as keys and digests, not as text. */
export class App {
  readonly id: string;
  readonly grantsAll: boolean;
  readonly requireExp: boolean;
  readonly keys: readonly webcrypto.CryptoKey[];
  readonly #digests: readonly Buffer[];
  readonly #origins: ReadonlySet<string> | undefined;

  private constructor(config: AppConfig, keys: readonly webcrypto.CryptoKey[]) {
    this.id = config.id;
    this.grantsAll = config.userGrant === "all";
    this.requireExp = config.requireExp ?? false;
    this.keys = keys;
    this.#digests = config.secrets.map(digest);
    this.#origins = config.allowedOrigins && new Set(config.allowedOrigins);
  }

  static async create(config: AppConfig): Promise<App> {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const keys = config.secrets.map((secret) =>
      webcrypto.subtle.importKey("raw", Buffer.from(secret), algorithm, false, ["verify"]),
    );
    return new App(config, await Promise.all(keys));
  }

  /** Compares with every secret, in a time that tells nothing about any of them. */
  isSecret(text: string): boolean {
    const shown = digest(text);
    let found = false;
    for (const secret of this.#digests) if (timingSafeEqual(secret, shown)) found = true;
    return found;
  }

  /** Whether a page of this origin may connect. Programs that are no browsers send none. */
  allowsOrigin(origin: string | undefined): boolean {
    return origin === undefined || this.#origins === undefined || this.#origins.has(origin);
  }
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
