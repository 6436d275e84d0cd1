import type { Latencies } from "../measure/latencies.ts";
import { DiffClock } from "./diff-clock.ts";
import { type LightSocket, textFrame } from "./light-socket.ts";
import { closeAll, connectSocket, expect, times } from "./sockets.ts";

const USERS_PER_FILTER = 20;
const FILTERS_PER_SOCKET = 2;

export interface LivePlan {
  readonly filters: number;
  /** Number of filters that match a user. */
  readonly watchers: number;
  /** Port of the gateway that the watchers use, if it is not the gateway of the users. */
  readonly watchPort?: number;
}

/**
 * Users that gain and lose the focus, and filters that watch them. There are as many groups of users as
 * filters. Filter f watches the groups from f + 1 on, as many groups as a user has watchers. A socket has two
 * groups and two filters. If users and watchers are on two gateways, a socket has two groups or two filters.
 */
export class LiveUsers {
  /** Called with the number of transitions that have reached their last watcher. */
  onArrival: (transitions: number) => void = () => {};
  readonly #plan: LivePlan;
  readonly #users: number;
  #sockets: LightSocket[] = [];
  /** The same sockets, if users and watchers are on one gateway. */
  #watching: LightSocket[] = [];
  readonly #sessionIds: string[];
  readonly #hasFocus: Uint8Array;
  #clocks: DiffClock[] = [];
  #next = 0;
  #arrivals = 0;

  private constructor(plan: LivePlan) {
    this.#plan = plan;
    this.#users = (plan.filters * USERS_PER_FILTER) / plan.watchers;
    this.#sessionIds = new Array(this.#users);
    this.#hasFocus = new Uint8Array(this.#users);
  }

  static async open(port: number, token: string, plan: LivePlan): Promise<LiveUsers> {
    const live = new LiveUsers(plan);
    const sockets = plan.filters / FILTERS_PER_SOCKET;
    live.#sockets = await times(sockets, () => connectSocket(port, token));
    const { watchPort } = plan;
    live.#watching =
      watchPort === undefined ? live.#sockets : await times(sockets, () => connectSocket(watchPort, token));
    await times(sockets, (i) => live.#enter(i));
    await times(sockets, (i) => live.#watch(i));
    return live;
  }

  /** Measures the latency of all transitions from now on. */
  measure(latencies: Latencies): void {
    this.#clocks = this.#sockets.map(() => new DiffClock("hasFocus", (ms) => latencies.add(ms)));
  }

  /** The next user gains or loses the focus. Consecutive users are in different groups. */
  transition(due: number): void {
    const user = this.#next++ % this.#users;
    const hasFocus = this.#hasFocus[user] === 0;
    this.#hasFocus[user] = hasFocus ? 1 : 0;
    const { filters, watchers } = this.#plan;
    for (let i = 1; i <= watchers; i++) {
      const filter = (user - i + filters) % filters;
      this.#clocks[filter % this.#sockets.length]!.expect(userId(user), hasFocus, due);
    }
    const frame = textFrame({ type: "update", sessionId: this.#sessionIds[user], hasFocus });
    this.#sockets[user % this.#sockets.length]!.write(frame);
  }

  close(): Promise<void> {
    return closeAll([...new Set([...this.#sockets, ...this.#watching])]);
  }

  async #enter(index: number): Promise<void> {
    const users: number[] = [];
    for (let user = index; user < this.#users; user += this.#sockets.length) users.push(user);
    const opens = users.map((user) => textFrame({ type: "open", kind: "widget", userId: userId(user) }));
    const answers = await this.#sockets[index]!.requestAll(opens);
    for (const [i, user] of users.entries())
      this.#sessionIds[user] = expect(answers[i]!, "opened").sessionId as string;
  }

  async #watch(index: number): Promise<void> {
    const socket = this.#watching[index]!;
    const subscribes: Buffer[] = [];
    for (let filter = index; filter < this.#plan.filters; filter += this.#sockets.length)
      subscribes.push(
        textFrame({ type: "subscribe", id: filter, filter: { userIds: this.#usersOf(filter) } }),
      );
    for (const text of await socket.requestAll(subscribes)) expect(text, "snapshot");
    socket.onText = (payload) => {
      this.#arrivals += this.#clocks[index]?.read(payload) ?? 0;
      const { watchers } = this.#plan;
      const complete = Math.floor(this.#arrivals / watchers);
      this.#arrivals -= complete * watchers;
      if (complete > 0) this.onArrival(complete);
    };
  }

  #usersOf(filter: number): string[] {
    const { filters, watchers } = this.#plan;
    return Array.from({ length: USERS_PER_FILTER }, (_, i) => {
      const group = (filter + 1 + (i % watchers)) % filters;
      return userId(group + Math.floor(i / watchers) * filters);
    });
  }
}

function userId(user: number): string {
  return `user-${user}`;
}
