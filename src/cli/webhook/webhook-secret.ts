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
  const encoded = secret.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, "base64");
  if (bytes.toString("base64") !== encoded) return `must be base64 after ${PREFIX}`;
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) {
    return `must have ${MIN_BYTES} to ${MAX_BYTES} bytes after ${PREFIX}`;
  }
  return undefined;
}
