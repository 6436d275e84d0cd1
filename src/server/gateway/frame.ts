import { Buffer } from "node:buffer";

/** A text that goes to one reader or to thousands: each form of it is made once, when first asked for. */
export class Frame {
  readonly text: string;
  #bytes: Buffer | undefined;
  #byteLength: number | undefined;
  #event: Frame | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text);
    return this.#bytes;
  }

  /** The length in UTF-8. */
  get byteLength(): number {
    this.#byteLength ??= this.#bytes?.length ?? Buffer.byteLength(this.text);
    return this.#byteLength;
  }

  /** Makes the bytes now: a text that goes to many readers would be encoded again for each of them. */
  encode(): this {
    this.#bytes ??= Buffer.from(this.text);
    return this;
  }

  /**
   * The bytes if there are any, for a sink that takes both: encoding a text for one reader is left to the
   * library.
   */
  get payload(): string | Buffer {
    return this.#bytes ?? this.text;
  }

  /** The text as a server-sent event: one line, as JSON has no raw line breaks. */
  asEvent(name: string, id: string): Frame {
    this.#event ??= new Frame(`event: ${name}\nid: ${id}\ndata: ${this.text}\n\n`);
    return this.#event;
  }
}
