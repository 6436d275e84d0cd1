/**
 * What limits have to know where several processes are one gateway. Each process counts for itself, and tells
 * the others some tenths of a second later at most. What is counted has a key.
 */
export interface SharedLimits {
  /** How many processes there are. */
  readonly workers: number;
  /** This process holds more of something, or less. */
  hold(key: string, change: number): void;
  /** What the other processes hold. */
  heldByOthers(key: string): number;
  /** This process has taken some of what there is so much of in a second. */
  take(key: string, amount: number): void;
}

/** Of several keys of one kind. */
const SEPARATOR = "\u0000";

/** The keys of what is counted. Ids have no control characters, so no key can look like another one. */
export const SHARED = {
  connections: "connections",
  connectionsOf: (address: string) => `address${SEPARATOR}${address}`,
  socketsOf: (appId: string, userId: string) => `sockets${SEPARATOR}${appId}${SEPARATOR}${userId}`,
  subscriptionBytesOf: (appId: string, userId: string) =>
    `subscriptionBytes${SEPARATOR}${appId}${SEPARATOR}${userId}`,
  filtersOf: (appId: string, userId: string) => `filters${SEPARATOR}${appId}${SEPARATOR}${userId}`,
  anonymousOf: (address: string) => `anonymous${SEPARATOR}${address}`,
  connectsOf: (address: string) => `connects${SEPARATOR}${address}`,
  requestsOf: (appId: string) => `requests${SEPARATOR}${appId}`,
  messagesOf: (appId: string, userId: string) => `messages${SEPARATOR}${appId}${SEPARATOR}${userId}`,
  bytesOf: (appId: string, userId: string) => `bytes${SEPARATOR}${appId}${SEPARATOR}${userId}`,
} as const;

/** The parts of a key: its kind, and of what. */
export function partsOfSharedKey(key: string): readonly string[] {
  return key.split(SEPARATOR);
}
