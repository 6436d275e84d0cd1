import { Buffer } from "node:buffer";
import { hash } from "node:crypto";
import { MAX_TOKEN_LENGTH } from "../../protocol/rules.ts";

/** The bytes of a block of SHA-256, and of its digest. */
const BLOCK = 64;
const DIGEST = 32;
const INNER = 0x36;
const OUTER = 0x5c;

/** Where a block and the text behind it are put together. */
const WORK = Buffer.alloc(BLOCK + MAX_TOKEN_LENGTH);

/**
 * A key of HMAC-SHA-256: H(outer, H(inner, text)), as RFC 2104 has it. `createHmac` makes an object for each
 * text, which the garbage collector has to finalize. That takes three times as long.
 */
export class HmacKey {
  /** The key, padded to a block. */
  readonly #inner: Buffer;
  /** The same, with room for the digest of the inner hash. */
  readonly #outer: Buffer;

  constructor(secret: string) {
    const text = Buffer.from(secret);
    const key = text.length > BLOCK ? hash("sha256", text, "buffer") : text;
    this.#inner = Buffer.alloc(BLOCK, INNER);
    this.#outer = Buffer.alloc(BLOCK + DIGEST, OUTER);
    for (const [i, byte] of key.entries()) {
      this.#inner[i] = byte ^ INNER;
      this.#outer[i] = byte ^ OUTER;
    }
  }

  /** `text`: ASCII. */
  sign(text: string): Buffer {
    const work = text.length <= MAX_TOKEN_LENGTH ? WORK : Buffer.alloc(BLOCK + text.length);
    work.set(this.#inner);
    work.write(text, BLOCK, "latin1");
    // Via strings: a `Buffer` that the library creates costs several times as much as one from the pool.
    const inner = hash("sha256", work.subarray(0, BLOCK + text.length), "binary");
    this.#outer.write(inner, BLOCK, "latin1");
    return Buffer.from(hash("sha256", this.#outer, "binary"), "latin1");
  }
}
