import { Buffer } from "node:buffer";
import { createHmac, createSecretKey, hash, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Signer, VerificationKey } from "./signer.ts";

/** A secret of an app. It is kept as a key and a digest, not as text. */
export class SecretKey implements VerificationKey {
  readonly signer: Signer;
  readonly #key: KeyObject;
  readonly #digest: Buffer;

  constructor(secret: string) {
    this.#key = createSecretKey(secret, "utf8");
    this.#digest = digestOf(secret);
    this.signer = { fingerprint: `secret:${this.#digest.toString("base64url")}` };
  }

  /** Whether a text with this digest is the secret, in a time that reveals nothing about the secret. */
  hasDigest(digest: Buffer): boolean {
    return timingSafeEqual(this.#digest, digest);
  }

  /** By HS256, in a time that reveals nothing about the correct signature. */
  hasSigned(input: string, signature: Buffer): boolean {
    // Via a string: a `Buffer` that the library creates costs twice as much as one from the pool.
    const right = Buffer.from(createHmac("sha256", this.#key).update(input).digest("binary"), "latin1");
    return signature.length === right.length && timingSafeEqual(right, signature);
  }
}

export function digestOf(text: string): Buffer {
  // Via a string: a `Buffer` that the library creates costs several times as much as one from the pool.
  return Buffer.from(hash("sha256", text, "binary"), "latin1");
}
