import { EVERYTHING } from "../app-under-chaos.ts";
import { WireClient } from "../wire-client.ts";

export interface Sight {
  readonly userId: string;
  readonly isThere: boolean;
  readonly at: number;
  readonly cause: string | undefined;
}

/** Observes all users on one node, and records when each one enters and leaves. */
export class Witness {
  readonly sights: Sight[] = [];
  readonly present = new Set<string>();
  readonly #client: WireClient;

  private constructor(client: WireClient) {
    this.#client = client;
  }

  static async on(url: string, appId: string, token: string): Promise<Witness> {
    const client = await WireClient.connect(url, appId, token);
    const witness = new Witness(client);
    client.onText = (text) => witness.#received(text);
    await client.ask({ type: "subscribe", filter: EVERYTHING });
    return witness;
  }

  get isConnected(): boolean {
    return this.#client.isOpen;
  }

  of(prefix: string): Sight[] {
    return this.sights.filter(({ userId }) => userId.startsWith(prefix));
  }

  terminate(): void {
    this.#client.terminate();
  }

  #received(text: string): void {
    const message = JSON.parse(text);
    if (message.type === "snapshot" && message.reason === undefined) {
      for (const userId of Object.keys(message.data)) this.present.add(userId);
    } else if (message.type === "snapshot") {
      throw new Error("the witness was too slow to see everything");
    } else if (message.type === "diff") {
      const at = Date.now();
      for (const [userId, value] of Object.entries(message.data)) {
        const isThere = value !== null;
        if (isThere === this.present.has(userId)) continue;
        if (isThere) this.present.add(userId);
        else this.present.delete(userId);
        this.sights.push({ userId, isThere, at, cause: message.causes?.[userId] });
      }
    }
  }
}
