import type { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { WEBHOOK_HEADERS } from "../../protocol/webhook-message.ts";
import { webhookSecretBytes, webhookSecretProblem } from "../auth/webhook-secret.ts";

/**
 * Signs messages as Standard Webhooks says, once with each secret. It does not use the library of that name:
 * its SHA-256 is JavaScript, takes 20 ms for a page of 256 KiB, and blocks the process meanwhile. Tests
 * verify the signatures with that library.
 */
export class WebhookSigner {
  readonly #keys: readonly Buffer[];

  /** @throws RangeError for a secret that `WebhookConfig` would not have accepted. */
  constructor(secrets: readonly string[]) {
    if (secrets.map(webhookSecretProblem).some((problem) => problem !== undefined)) {
      throw new RangeError("not a secret of a webhook");
    }
    this.#keys = secrets.map(webhookSecretBytes);
  }

  /** The headers of one attempt. `wallNow`: milliseconds since 1970. */
  headers(id: string, body: Buffer, wallNow: number): Record<string, string> {
    const timestamp = String(Math.floor(wallNow / 1000));
    const signatures = this.#keys.map((key) => {
      const hmac = createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body);
      return `v1,${hmac.digest("base64")}`;
    });
    return {
      [WEBHOOK_HEADERS.id]: id,
      [WEBHOOK_HEADERS.timestamp]: timestamp,
      [WEBHOOK_HEADERS.signature]: signatures.join(" "),
    };
  }
}
