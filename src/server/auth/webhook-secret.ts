import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";

const PREFIX = "whsec_";
const MIN_BYTES = 24;
const MAX_BYTES = 64;

export function makeWebhookSecret(): string {
  return `${PREFIX}${randomBytes(32).toString("base64")}`;
}

/** What is wrong with a secret, without a part of it; undefined if nothing is. */
export function webhookSecretProblem(secret: string): string | undefined {
  if (!secret.startsWith(PREFIX)) return `must begin with ${PREFIX}`;
  const bytes = webhookSecretBytes(secret);
  if (`${PREFIX}${bytes.toString("base64")}` !== secret) return `must be base64 after ${PREFIX}`;
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
    return `must have ${MIN_BYTES} to ${MAX_BYTES} bytes after ${PREFIX}`;
  }
  return undefined;
}

/** The key of a secret that has no problem. */
export function webhookSecretBytes(secret: string): Buffer {
  return Buffer.from(secret.slice(PREFIX.length), "base64");
}
