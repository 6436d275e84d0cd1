import { RedisConnection } from "./redis-connection.ts";

const DEADLINE_MS = 2_000;
/** Masters whose slots have just moved may name each other once or twice. */
const MAX_REDIRECTIONS = 3;

/** The Redis that has the keys of a log, with a connection to it. */
export interface RedisMaster {
  readonly url: string;
  readonly connection: RedisConnection;
}

/**
 * Finds the Redis that has a key. A single Redis has all keys. Any node of a Redis Cluster names the master
 * of a key; several addresses are asked at once, as some may be down. This is all the support that a Redis
 * Cluster needs: when the key moves to another master, the connection ends like after any error, and the
 * caller searches again. So no redirection is followed between commands, and no command waits for one.
 *
 * Throws the error of one of the addresses if none leads to a master.
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
    // Fails on a single Redis: nodes that each take another one of several would not find each other.
    if (isCluster) await connection.ask(["READWRITE"], DEADLINE_MS);
    await connection.ask(["HGET", key, "count"], DEADLINE_MS);
    return { url, connection };
  } catch (error) {
    const moved = readRedirection(url, (error as Error).message);
    if (moved === undefined || redirections === 0) throw error;
    return await follow(moved, key, isCluster, redirections - 1);
  }
}

/**
 * Reads `MOVED 3999 10.0.0.7:6379`. User, password and TLS are those of the address that replied. Without a
 * host it is the same host.
 */
function readRedirection(from: string, message: string): string | undefined {
  const [, host, port] = /^MOVED \d+ (\S*):(\d{1,5})$/.exec(message) ?? [];
  if (host === undefined || port === undefined) return undefined;
  const url = new URL(from);
  if (host !== "") url.hostname = host.includes(":") ? `[${host}]` : host;
  url.port = port;
  return url.href;
}
