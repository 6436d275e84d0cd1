import type { Credentials } from "../model/credentials.ts";
import type { DeclaredStatus, FilterStatus } from "../model/status.ts";
import { GatewayRequestError, requestGateway } from "./gateway-request.ts";
import { Topic } from "./topic.ts";

/** A user is there, or was at this time (milliseconds since 1970), or was never seen. */
export type LastSeen = { readonly status: FilterStatus } | { readonly lastSeenAt: number } | "never";

/** What the page has learnt about the app. The details of all users share it. */
export interface AppFeatures {
  /** False once the gateway has said that the app does not keep when users were last seen. */
  keepsLastSeen: boolean;
}

const PERIOD_MS = 5_000;

/** What the gateway keeps of one user beside the sessions. It is asked for while the page is visible. */
export class UserFacts {
  readonly changed = new Topic();
  readonly #userId: string;
  readonly #app: AppFeatures;
  #timer: ReturnType<typeof setInterval>;
  #credentials: Credentials;
  #declared: DeclaredStatus | undefined;
  #lastSeen: LastSeen | undefined;
  #isAsking = false;
  #isWanted = false;
  #isClosed = false;

  constructor(credentials: Credentials, userId: string, app: AppFeatures) {
    this.#credentials = credentials;
    this.#app = app;
    this.#userId = userId;
    this.#timer = this.#start();
  }

  /** Undefined until it is known. */
  get declared(): DeclaredStatus | undefined {
    return this.#declared;
  }

  /** Undefined until it is known, and if the app does not keep it. */
  get lastSeen(): LastSeen | undefined {
    return this.#lastSeen;
  }

  /** Continues with another token. */
  renew(credentials: Credentials): void {
    if (credentials.token === this.#credentials.token) return;
    this.#credentials = credentials;
    clearInterval(this.#timer);
    this.#timer = this.#start();
  }

  /** Asks now, because something has changed. One request is under way at a time. */
  refresh(): void {
    this.#isWanted = true;
    if (!this.#isAsking) void this.#ask();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#isClosed = true;
  }

  #start(): ReturnType<typeof setInterval> {
    this.refresh();
    return setInterval(() => {
      if (!document.hidden) this.refresh();
    }, PERIOD_MS);
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    while (this.#isWanted && !this.#isClosed) {
      this.#isWanted = false;
      const { token } = this.#credentials;
      try {
        const [declared, lastSeen] = await Promise.all([this.#askStatus(), this.#askLastSeen()]);
        this.#declared = declared;
        this.#lastSeen = lastSeen;
        this.changed.notify();
      } catch (error) {
        // What was known stays. The panel of the node says that it does not respond.
        const isRefused = error instanceof GatewayRequestError && error.status === 401;
        if (isRefused && token === this.#credentials.token) clearInterval(this.#timer);
      }
    }
    this.#isAsking = false;
  }

  async #askStatus(): Promise<DeclaredStatus> {
    const { data } = await requestGateway<{ readonly data: DeclaredStatus }>(this.#credentials, {
      method: "GET",
      path: "users/status",
      userId: this.#userId,
    });
    return data;
  }

  async #askLastSeen(): Promise<LastSeen | undefined> {
    if (!this.#app.keepsLastSeen) return undefined;
    try {
      const { data } = await requestGateway<{
        readonly data: Readonly<Record<string, Exclude<LastSeen, string>>>;
      }>(this.#credentials, {
        method: "POST",
        path: "last-seen",
        body: { userIds: [this.#userId] },
      });
      return Object.hasOwn(data, this.#userId) ? data[this.#userId]! : "never";
    } catch (error) {
      if (!(error instanceof GatewayRequestError && error.status === 404)) throw error;
      this.#app.keepsLastSeen = false;
      return undefined;
    }
  }
}
