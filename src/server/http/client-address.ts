import ipaddr from "ipaddr.js";
import { isPlainIpv4 } from "../gateway/admission.ts";

/**
 * Whether the program at this address is a proxy of ours; `hop` counts from the one that is connected to us.
 */
export type IsTrustedProxy = (address: string, hop: number) => boolean;

/** More hops than this were made up by the client. */
const MAX_HOPS = 32;
/** An address with its port is no longer than this. */
const MAX_HOP_LENGTH = 64;

/** An address in one spelling: the transports write the same address in different ways. */
export function plainAddress(text: string): string {
  return isPlainIpv4(text) || !ipaddr.isValid(text) ? text : ipaddr.process(text).toString();
}

/**
 * The address nearest to us that is not one of our own proxies. Each proxy adds an address at the end of
 * X-Forwarded-For. What stands before those was made up by the client and may be of any length, so it is not
 * read.
 */
export function clientAddress(
  peerAddress: string,
  forwardedFor: string | undefined,
  isTrustedProxy: IsTrustedProxy,
): string {
  let address = plainAddress(peerAddress);
  let end = forwardedFor?.length ?? 0;
  for (let hop = 0; hop < MAX_HOPS && end > 0 && isTrustedProxy(address, hop); hop++) {
    const start = forwardedFor!.lastIndexOf(",", end - 1) + 1;
    const text = withoutPort(forwardedFor!.slice(Math.max(start, end - MAX_HOP_LENGTH), end));
    if (text !== "") address = text;
    end = start - 1;
  }
  return address;
}

/** Some proxies write the client's port too, and each connection has another. */
function withoutPort(hop: string): string {
  return hop.trim().replace(/^(?:\[([\da-f:.]+)\]|(\d+\.\d+\.\d+\.\d+))(?::\d+)?$/i, "$1$2");
}
