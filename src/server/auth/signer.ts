import type { Buffer } from "node:buffer";

/**
 * What a token or a bare secret was signed with. A connection keeps it, so that it ends when the app no
 * longer accepts what it signs.
 */
export interface Signer {
  /** Tells secrets and keys apart, without being one. */
  readonly fingerprint: string;
  /** The JWKS that had the key; undefined for a secret or key of the configuration. */
  readonly jwksUrl?: string;
}

/** A secret or public key that tells whether it belongs to a signature. */
export interface VerificationKey {
  readonly signer: Signer;
  /** `input`: ASCII. */
  hasSigned(input: string, signature: Buffer): boolean;
}
