import { RedisClient } from "@redis/client";

const CONNECT_TIMEOUT_MS = 2_000;
const RESP = 2;
/**
 * Made once: the library's own function makes a class of all commands for each new address, which takes tens
 * of ms.
 */
const createClient = RedisClient.factory({ RESP });

/** Redis did not reply in time. */
class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

/**
 * One connection to Redis, for as long as it works. It is never repaired, and nothing waits for that. The
 * first failure ends it; so does an error reply, as then it is unknown what was done.
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
      // The types do not ask for it here, but without it the connection is made for RESP 3.
      RESP,
      disableOfflineQueue: true,
      disableClientInfo: true,
      maintNotifications: "disabled",
      // `ask` has deadlines of its own: those of the library are for commands that it has not sent yet.
      commandOptions: { timeout: 0 },
      socket: { reconnectStrategy: false, connectTimeout: CONNECT_TIMEOUT_MS },
    } as const;
    this.#client = createClient(options);
    this.#client.on("error", (error: Error) => this.#end(error));
  }

  static async open(url: string): Promise<RedisConnection> {
    const connection = new RedisConnection(url);
    // The library waits forever for a server that accepts the connection and sends nothing.
    const timer = setTimeout(
      () => connection.#end(new DeadlineError("Redis does not reply")),
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

  /**
   * Sends a command and resolves to its reply. If that is an error or comes too late, this rejects and the
   * connection ends.
   */
  async ask(args: string[], deadlineMs: number): Promise<unknown> {
    const late = () =>
      this.#end(new DeadlineError(`Redis did not reply to ${args[0]} within ${deadlineMs} ms`));
    // After a pause of the process, timers fire before it reads what came meanwhile.
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
