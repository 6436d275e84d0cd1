import type { Principal } from "../auth/principal.ts";
import type { Admitted } from "./admission.ts";
import type { AppPresence } from "./app-presence.ts";
import { type GatewayConfig, MAX_BYTES_BEFORE_CONNECT, NEWCOMER_PER_SECOND } from "./gateway-config.ts";
import { RateLimiter } from "./rate-limiter.ts";
import type { UserBudget } from "./user-budget.ts";

/** A message exceeds a rate. */
export interface OverRate {
  /** How long until a message as large is admitted, in milliseconds. */
  readonly retryAfterMs: number;
  /** Whether that has gone on for too long. */
  readonly isFlooding: boolean;
}

/**
 * What one socket may send: the rate of the socket, the budget of its user, and until `connect` the bytes of
 * its address. Each message is offered once.
 */
export class IncomingLimits {
  readonly #presence: AppPresence;
  readonly #config: GatewayConfig;
  readonly #admitted: Pick<Admitted, "admitMessage">;
  #rateLimiter: RateLimiter;
  /**
   * The budget of the user, shared by all of their sockets, or of this socket if it has an app token.
   * Undefined before `connect`.
   */
  #budget: UserBudget | undefined;
  /** Whether a message arrived before `connect` succeeded. */
  #hasSentMessage = false;

  constructor(
    presence: AppPresence,
    config: GatewayConfig,
    admitted: Pick<Admitted, "admitMessage">,
    now: number,
  ) {
    this.#presence = presence;
    this.#config = config;
    this.#admitted = admitted;
    this.#rateLimiter = new RateLimiter(Math.min(NEWCOMER_PER_SECOND, config.messagesPerSecond), now);
  }

  /** Undefined before `acquireBudget` has succeeded. */
  get budget(): UserBudget | undefined {
    return this.#budget;
  }

  /** When the socket last sent something, in whole milliseconds. */
  get lastHeard(): number {
    return this.#rateLimiter.lastHeard;
  }

  /** Called for each message before `connect`. Returns why the socket has to be closed, if it has to. */
  refuseNewcomer(byteLength: number, now: number): "tooLarge" | "flooding" | undefined {
    if (byteLength > MAX_BYTES_BEFORE_CONNECT) return "tooLarge";
    // The first message of each socket is limited by the rate of new connections.
    if (this.#hasSentMessage && !this.#admitted.admitMessage(byteLength, now)) return "flooding";
    this.#hasSentMessage = true;
    return undefined;
  }

  /** Called for each message. Undefined if it may be handled. */
  refuse(byteLength: number, now: number): OverRate | undefined {
    if (!this.#rateLimiter.admit(now)) {
      return this.#overRate(this.#rateLimiter.retryAfterMs(), byteLength, now);
    }
    const budget = this.#budget;
    if (budget === undefined || budget.admit(byteLength, now)) return undefined;
    return this.#overRate(budget.retryAfterMs(byteLength), byteLength, now);
  }

  /** Called for each control frame. Returns true once there were too many for too long. */
  isFloodedByControl(now: number): boolean {
    const isAdmitted = this.#rateLimiter.admit(now) && (this.#budget?.admit(0, now) ?? true);
    return !isAdmitted && this.#rateLimiter.isFlooding(now);
  }

  /** Called for each bad message. Returns true once there were too many. */
  isTooBad(now: number): boolean {
    return this.#rateLimiter.isTooBad(now);
  }

  /**
   * Takes the budget that this socket uses from now on, and charges it for `connect`. Returns why that is not
   * possible: the rate, or that the user has all the sockets that a user may have.
   */
  acquireBudget(principal: Principal, byteLength: number, now: number): OverRate | "sockets" | undefined {
    const { messagesPerSecond, maxConnectionsPerIp } = this.#config;
    const { budgets } = this.#presence;
    if (principal.kind === "app") {
      this.#budget = budgets.ofAppToken(now);
      if (this.#budget.socketRate !== undefined) this.#rateLimiter = this.#budget.socketRate;
      return undefined;
    }
    const budget = budgets.acquire(principal.userId, now);
    let refused: OverRate | "sockets" | undefined;
    if (!budget.admit(byteLength, now))
      refused = this.#overRate(budget.retryAfterMs(byteLength), byteLength, now);
    else if (budgets.socketsOf(budget) > maxConnectionsPerIp) refused = "sockets";
    if (refused !== undefined) {
      this.#presence.releaseBudget(budget, now);
      return refused;
    }
    this.#budget = budget;
    this.#rateLimiter.setRate(messagesPerSecond);
    return undefined;
  }

  /** The socket has gone. */
  release(now: number): void {
    if (this.#budget !== undefined) this.#presence.releaseBudget(this.#budget, now);
  }

  #overRate(retryAfterMs: number, byteLength: number, now: number): OverRate {
    const seconds = this.#budget?.secondsOf(byteLength);
    return { retryAfterMs, isFlooding: this.#rateLimiter.isFlooding(now, seconds) };
  }
}
