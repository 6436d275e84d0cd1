import { Buffer } from "node:buffer";

/** A text for one reader or for thousands. Each encoded form of it is made once, on demand. */
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

  /** The length in bytes of UTF-8. */
  get byteLength(): number {
    this.#byteLength ??= this.#bytes?.length ?? Buffer.byteLength(this.text);
    return this.#byteLength;
  }

  /** Encodes the bytes now: a text for many readers would otherwise be encoded for each of them. */
  encodeBytes(): this {
    this.#bytes ??= Buffer.from(this.text);
    return this;
  }

  /**
   * The bytes if they are encoded, else the text. For a sink that takes both: the library encodes a text for
   * one reader.
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
