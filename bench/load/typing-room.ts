import { Latencies } from "../measure/latencies.ts";
import { appToken, userToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { enterNew, type Member } from "./dialect.ts";
import { DiffClock } from "./diff-clock.ts";
import type { LightSocket } from "./light-socket.ts";
import { pace } from "./pace.ts";
import { closeAll, quiet, times } from "./sockets.ts";

const ROOM = "room-1";
const TYPISTS = 100;
export const EVENTS_PER_SECOND = 1_000;
/** Two turns bring every typist back to its initial state. */
export const EVERYBODY_TWICE_MS = (2_000 * TYPISTS) / EVENTS_PER_SECOND;
/**
 * Number of subscribers whose diffs are parsed, evenly spread. Parsing all would load the machine too much.
 */
export const READ = 20;
const LONGEST_DRAIN_MS = 60_000;

/** A room whose typists begin and stop typing, each ten times per second, each on its own socket. */
export class TypingRoom {
  readonly subscribers: readonly LightSocket[];
  readonly #kind: ServerKind;
  readonly #typists: readonly Member[];
  /** The frames of each typist: begins, and stops. */
  readonly #frames: readonly (readonly Buffer[])[];
  readonly #readers: readonly LightSocket[];

  private constructor(kind: ServerKind, typists: readonly Member[], subscribers: readonly LightSocket[]) {
    this.#kind = kind;
    this.#typists = typists;
    this.subscribers = subscribers;
    this.#frames = typists.map((typist) => [true, false].map((isTyping) => typist.frame({ isTyping })));
    const every = subscribers.length / READ;
    this.#readers = subscribers.filter((_, i) => (i + 1) % every === 0);
  }

  /** Lets typists and subscribers in. `subscribers`: a multiple of `READ`. */
  static async open(kind: ServerKind, port: number, subscribers: number): Promise<TypingRoom> {
    const typists = await times(TYPISTS, async (i) =>
      enterNew(kind.dialect, port, await userToken(`typist-${i}`), ROOM),
    );
    const token = await appToken();
    const watching = await times(subscribers, () => kind.dialect.watch(port, token, ROOM));
    return new TypingRoom(kind, typists, watching);
  }

  /** How many texts the subscribers have received. */
  get received(): number {
    return this.subscribers.reduce((sum, socket) => sum + socket.received, 0);
  }

  /**
   * Types for a while, and resolves when the subscribers have received everything. The latencies are those of
   * `READ` of them. `onDiff` is called for what these receive.
   */
  async type(ms: number, onDiff: (payload: Buffer) => void = () => {}): Promise<Latencies> {
    const { dialect, role } = this.#kind;
    const latencies = new Latencies();
    const clocks = this.#readers.map(() => new DiffClock("isTyping", (ms) => latencies.add(ms), dialect));
    for (const socket of this.subscribers) socket.onText = undefined;
    for (const [i, reader] of this.#readers.entries()) {
      reader.onText = (payload) => {
        onDiff(payload);
        if (role !== "baseline") clocks[i]!.read(payload);
      };
    }
    await pace(EVENTS_PER_SECOND, ms, (i, due) => {
      const { userId, isTyping } = this.#write(i);
      for (const clock of clocks) clock.expect(userId, isTyping, due);
    });
    if (role === "peer") await allArrived(clocks);
    await quiet(this.subscribers);
    return latencies;
  }

  close(): Promise<void> {
    return closeAll([...this.#typists.map(({ socket }) => socket), ...this.subscribers]);
  }

  /** Each typist changes once per turn, and back in the next turn. */
  #write(i: number): { readonly userId: string; readonly isTyping: boolean } {
    const typist = i % TYPISTS;
    const isTyping = Math.floor(i / TYPISTS) % 2 === 0;
    this.#typists[typist]!.socket.write(this.#frames[typist]![isTyping ? 0 : 1]!);
    return { userId: `typist-${typist}`, isTyping };
  }
}

/** Resolves when no event is pending. A server that cannot send everything at once needs a long time. */
async function allArrived(clocks: readonly DiffClock[]): Promise<void> {
  const deadline = performance.now() + LONGEST_DRAIN_MS;
  while (clocks.some(({ waiting }) => waiting > 0)) {
    if (performance.now() > deadline)
      throw new Error("it lost events, or did not deliver them within a minute");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
