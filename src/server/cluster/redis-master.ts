import { RedisConnection } from "./redis-connection.ts";

const DEADLINE_MS = 2_000;
/** Where slots have just moved, masters may name each other once or twice. */
const MAX_REDIRECTIONS = 3;

/** The Redis that has the keys of a log, and a connection to it. */
export interface RedisMaster {
  readonly url: string;
  readonly connection: RedisConnection;
}

/**
 * Finds who has a key. A Redis of its own has all; of a Redis Cluster any node tells who has it, so several addresses are asked at
 * once, as some may be down. This is all there is to a cluster: when the key moves, or its master is another, the connection ends
 * as by any error, and whoever wants it looks again. So a redirection is never followed amid commands, and nothing waits for one.
 */
export async function findMaster(urls: readonly string[], key: string): Promise<RedisMaster> {
  const searches = urls.map((url) => follow(url, key, urls.length > 1));
  try {
    const found = await Promise.any(searches);
    for (const search of searches) {
      search.then((other) => other !== found && other.connection.close()).catch(() => {});
    }
    return found;
  } catch (error) {
    throw (error as AggregateError).errors[0];
  }
}

async function follow(
  url: string,
  key: string,
  isCluster: boolean,
  redirections = MAX_REDIRECTIONS,
): Promise<RedisMaster> {
  const connection = await RedisConnection.open(url);
  try {
    // An error if it is none: nodes that take any of several Redises would not find each other.
    if (isCluster) await connection.ask(["READWRITE"], DEADLINE_MS);
    await connection.ask(["HGET", key, "count"], DEADLINE_MS);
    return { url, connection };
  } catch (error) {
    const moved = readRedirection(url, (error as Error).message);
    if (moved === undefined || redirections === 0) throw error;
    return await follow(moved, key, isCluster, redirections - 1);
  }
}

/** `MOVED 3999 10.0.0.7:6379`, with the same rights and the same TLS as who says it. Without a host it is the same host. */
function readRedirection(from: string, message: string): string | undefined {
  const [, host, port] = /^MOVED \d+ (\S*):(\d{1,5})$/.exec(message) ?? [];
  if (host === undefined || port === undefined) return undefined;
  const url = new URL(from);
  if (host !== "") url.hostname = host.includes(":") ? `[${host}]` : host;
  url.port = port;
  return url.href;
}
