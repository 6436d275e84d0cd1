/** Spreads users over the logs of a cluster: all of a user's sessions are in one, and every node finds the same. */
export function shardOf(userId: string, shards: number): number {
  if (shards === 1) return 0;
  // FNV-1a over UTF-16 units.
  let hash = 0x811c9dc5;
  for (let i = 0; i < userId.length; i++) hash = Math.imul(hash ^ userId.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}
