import { again } from "./again.ts";
import type { ChaosOracle } from "./oracle.ts";
import { type Message, WireClient } from "./wire-client.ts";

const AGAIN_MS = 150;

/** A subscriber to a count. It reconnects whenever the socket is lost, and checks every message. */
export class CountObserving {
  readonly name: string;
  readonly filter: object;
  readonly #oracle: ChaosOracle;
  readonly #connect: (onText: (text: string) => void) => Promise<WireClient>;
  #client: WireClient | undefined;
  #last: { readonly view: string; readonly version: number; readonly users: number } | undefined;
  #isOver = false;
  counts = 0;

  constructor(
    name: string,
    oracle: ChaosOracle,
    filter: object,
    url: () => string,
    appId: string,
    token: () => string,
  ) {
    this.name = name;
    this.filter = filter;
    this.#oracle = oracle;
    this.#connect = (onText) => WireClient.connect(url(), appId, token(), onText);
    void again(
      () => this.#once(),
      AGAIN_MS,
      () => this.#isOver,
    );
  }

  /** Compares with the number of users that a query over HTTP gives, while nothing changes. */
  async compare(users: number): Promise<void> {
    await this.#client?.ask({ type: "ping" });
    if (this.#last?.users !== users)
      this.#violated(`counts ${this.#last?.users} users, a query over HTTP ${users}`);
  }

  drop(): void {
    this.#client?.terminate();
  }

  end(): void {
    this.#isOver = true;
    this.#client?.close();
  }

  async #once(): Promise<void> {
    this.#last = undefined;
    const client = await this.#connect((text) => this.#received(JSON.parse(text)));
    this.#client = client;
    const closed = new Promise<void>((resolve) => {
      client.onClose = () => resolve();
    });
    void client.ask({ type: "subscribe", filter: this.filter, count: true });
    if (this.#isOver) client.close();
    await closed;
  }

  #received({ type, id, view, version, users }: Message): void {
    if (type === "snapshot" || type === "diff") return this.#violated(`got a ${type}`);
    if (type !== "count") return;
    const last = this.#last;
    this.#last = { view, version, users };
    this.counts++;
    if ((id === undefined) !== (last !== undefined))
      return this.#violated("the first count has an id, and no other has");
    if (last === undefined) return;
    if (view !== last.view || version !== last.version + 1)
      this.#violated(`version ${last.version}, then ${version}`);
    if (users === last.users) this.#violated(`${users} users, and then as many`);
  }

  #violated(what: string): void {
    this.#oracle.violated("I4", Date.now(), undefined, `${this.name}: ${what}`);
  }
}
