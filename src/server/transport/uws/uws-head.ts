import type { RequestHeaders } from "../../http/exchange.ts";
import { type HandshakeHeaders, isForwardingHeader } from "../transport.ts";
import type { UwsRequest } from "./uws-types.ts";

/**
 * The headers of a request that are read, in one walk over all. Headers of several lines are joined as
 * node:http joins them. The library's own `getHeader` returns the first line only, which a client may have
 * made up before a proxy added another one, and it does not tell an empty header from a missing one.
 */
export class UwsHead implements RequestHeaders, HandshakeHeaders {
  "accept-encoding": string | undefined = undefined;
  authorization: string | undefined = undefined;
  "content-encoding": string | undefined = undefined;
  "content-type": string | undefined = undefined;
  "last-event-id": string | undefined = undefined;
  host: string | undefined = undefined;
  "x-forwarded-for": string | undefined = undefined;
  origin: string | undefined = undefined;
  upgrade: string | undefined = undefined;
  connection: string | undefined = undefined;
  key: string | undefined = undefined;
  version: string | undefined = undefined;
  protocol: string | undefined = undefined;
  /** A proxy has forwarded the request. */
  isForwarded = false;
  "transfer-encoding": string | undefined = undefined;
  /** The client waits for "100 Continue", and the library does not send it: see `sendContinue`. */
  awaitsContinue = false;
  /** A Content-Length can be read in two ways: it is there twice, or empty. */
  #hasTwoLengths = false;
  /** Bytes of the body; undefined where no header says so, and there is none. */
  #length: number | undefined = undefined;

  constructor(request: UwsRequest) {
    request.forEach((name, value) => {
      this.#take(name, value);
    });
  }

  /** In bytes; 0 without a body, and infinite for one in chunks. */
  get contentLength(): number {
    return this.isChunked ? Number.POSITIVE_INFINITY : (this.#length ?? 0);
  }

  get isChunked(): boolean {
    return this["transfer-encoding"] !== undefined;
  }

  /** The length of the body can be read in two ways. */
  get isSmuggling(): boolean {
    return this.#hasTwoLengths || (this.isChunked && this.#length !== undefined);
  }

  #take(name: string, value: string): void {
    switch (name) {
      case "authorization":
      case "content-type":
      case "last-event-id":
        this[name] ??= value;
        break;
      case "accept-encoding":
      case "content-encoding":
      case "host":
      case "origin":
      case "transfer-encoding":
      case "upgrade":
      case "connection":
        this[name] = joined(this[name], value);
        break;
      case "x-forwarded-for":
        this[name] = joined(this[name], value);
        this.isForwarded = true;
        break;
      case "sec-websocket-key":
        this.key = joined(this.key, value);
        break;
      case "sec-websocket-version":
        this.version = joined(this.version, value);
        break;
      case "sec-websocket-protocol":
        this.protocol = joined(this.protocol, value);
        break;
      case "content-length":
        // The library reads an empty length as zero; a proxy might not.
        if (this.#length !== undefined || value === "") this.#hasTwoLengths = true;
        this.#length = Number(value);
        break;
      case "expect":
        this.awaitsContinue = value !== SENT_BY_LIBRARY && CONTINUE.test(value);
        break;
      default:
        if (isForwardingHeader(name)) this.isForwarded = true;
    }
  }
}

/** The library sends "100 Continue" by itself where the header is exactly this. */
const SENT_BY_LIBRARY = "100-continue";
const CONTINUE = /^100-continue$/i;

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`;
}
