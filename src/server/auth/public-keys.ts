import type { JwksSource } from "./jwks-source.ts";
import { KnownTokens } from "./known-tokens.ts";
import type { PublicKey, PublicKeyAlgorithm } from "./public-key.ts";
import type { Signer } from "./signer.ts";

/** What tokens must say that were signed with a public key's private half. */
export interface PublicClaims {
  readonly issuer: string;
  /** Undefined: any audience. */
  readonly audience: string | undefined;
  /** The claim that names the user. */
  readonly userIdClaim: string;
}

/** The public keys of one app: those of its configuration and those of its JWKS. */
export class PublicKeys {
  readonly claims: PublicClaims;
  readonly jwks: JwksSource | undefined;
  readonly #configured: readonly PublicKey[];
  #knownTokens = new KnownTokens();
  /** The keys of the JWKS when the known tokens were verified. */
  #knownWith: readonly PublicKey[] | undefined;

  constructor(configured: readonly PublicKey[], jwks: JwksSource | undefined, claims: PublicClaims) {
    this.#configured = configured;
    this.jwks = jwks;
    this.claims = claims;
    this.#knownWith = jwks?.keys;
  }

  /** The tokens that these very keys have verified. */
  get knownTokens(): KnownTokens {
    if (this.jwks?.keys !== this.#knownWith) {
      this.#knownWith = this.jwks?.keys;
      this.#knownTokens = new KnownTokens();
    }
    return this.#knownTokens;
  }

  /** The keys that may have signed a token with this algorithm and `kid`. */
  find(algorithm: PublicKeyAlgorithm, kid: string | undefined): readonly PublicKey[] {
    return this.#all().filter(
      (key) => key.algorithm === algorithm && (kid === undefined || key.kid === undefined || key.kid === kid),
    );
  }

  /** Whether a key has this `kid`. */
  hasKid(kid: string): boolean {
    return this.#all().some((key) => key.kid === kid);
  }

  /** Whether tokens of this signer are still accepted. A key that has vanished from a JWKS does no harm. */
  trusts({ fingerprint, jwksUrl }: Signer): boolean {
    if (jwksUrl !== undefined && jwksUrl === this.jwks?.url) return true;
    return this.#all().some((key) => key.signer.fingerprint === fingerprint);
  }

  #all(): readonly PublicKey[] {
    return this.jwks === undefined ? this.#configured : [...this.#configured, ...this.jwks.keys];
  }
}
