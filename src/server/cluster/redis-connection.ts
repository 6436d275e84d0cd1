import { RedisClient } from "@redis/client";

const CONNECT_TIMEOUT_MS = 2_000;
const RESP = 2;
/** Made once: the library's own makes a class of all commands anew for each address that is not the last one's, in tens of ms. */
const createClient = RedisClient.factory({ RESP });

/** A command was not answered in time. */
class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

/**
 * One connection to Redis, for as long as it works: it is never mended, and nothing waits for it to be. The first thing that
 * goes wrong ends it, an error in an answer too, as then nobody knows what was done.
 */
export class RedisConnection {
  /** Rejects when the connection has ended, with the reason. */
  readonly ended: Promise<never>;
  readonly #client: ReturnType<typeof createClient>;
  #end: (reason: Error) => void = () => {};

  private constructor(url: string) {
    this.ended = new Promise((_resolve, reject) => {
      this.#end = (reason) => {
        this.#client.destroy();
        reject(reason);
      };
    });
    this.ended.catch(() => {});
    const options = {
      url,
      // The types would not have it here too, but without it the connection is made as for RESP 3.
      RESP,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: "disabled",
      // Deadlines are ours, see `ask`: those of the library are for commands that it has not sent yet.
      commandOptions: { timeout: 0 },
      socket: { reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT_MS },
    } as const;
    this.#client = createClient(options);
    this.#client.on("error", (error: Error) => this.#end(error));
  }

  static async open(url: string): Promise<RedisConnection> {
    const connection = new RedisConnection(url);
    // The library waits for ever for a server that takes the connection and says nothing.
    const timer = setTimeout(
      () => connection.#end(new DeadlineError("Redis does not answer")),
      2 * CONNECT_TIMEOUT_MS,
    );
    try {
      await Promise.race([connection.#client.connect(), connection.ended]);
      return connection;
    } catch (error) {
      connection.#end(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a command; its answer, unless it is an error or comes too late: then the connection ends. */
  async ask(args: string[], deadlineMs: number): Promise<unknown> {
    const late = () =>
      this.#end(new DeadlineError(`Redis did not answer ${args[0]} within ${deadlineMs} ms`));
    // A process that stood still finds its timers due before it has read what came meanwhile.
    let immediate: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      immediate = setImmediate(late);
    }, deadlineMs);
    try {
      return await this.#client.sendCommand(args);
    } catch (error) {
      this.#end(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
      if (immediate !== undefined) clearImmediate(immediate);
    }
  }

  close(): void {
    this.#end(new Error("closed"));
  }
}
