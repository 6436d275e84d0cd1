import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";

/** Number of ports in a block. The first port of a block is its lock. */
const BLOCK = 32;
/** The default range for blocks, unless the system assigns ports from it. */
const USUAL: PortRange = { first: 12_000, last: 29_999 };
const LEAST_BLOCKS = 64;

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Ports for programs that need a fixed port, or that restart on the same one. No other process on the machine
 * gets them. They are outside the range that the system assigns. A block belongs to the process that listens
 * on its first port, as long as that process lives. A port of a block that is in use anyway is skipped.
 */
export class OwnPorts {
  readonly #range: PortRange;
  readonly #locks: Server[] = [];
  #next = 0;
  #end = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(range: PortRange = rangeBeside(systemRange())) {
    this.#range = range;
  }

  /** A port that was not returned before. */
  take(): Promise<number> {
    const taken = this.#turn.then(() => this.#take());
    this.#turn = taken.catch(() => {});
    return taken;
  }

  /** Releases all ports. The end of the process does the same. */
  async release(): Promise<void> {
    await this.#turn;
    this.#next = this.#end;
    await Promise.all(this.#locks.splice(0).map(close));
  }

  async #take(): Promise<number> {
    for (;;) {
      if (this.#next === this.#end) await this.#takeBlock();
      const port = this.#next++;
      const server = await listen(port);
      if (server === undefined) continue;
      await close(server);
      return port;
    }
  }

  async #takeBlock(): Promise<void> {
    const { first, last } = this.#range;
    const count = Math.floor((last - first + 1) / BLOCK);
    // Process ids differ, so most processes start at different blocks.
    for (let i = 0; i < count; i++) {
      const start = first + ((process.pid + i) % count) * BLOCK;
      const lock = await listen(start);
      if (lock === undefined) continue;
      lock.unref();
      this.#locks.push(lock);
      this.#next = start + 1;
      this.#end = start + BLOCK;
      return;
    }
    throw new Error(`others have all ports from ${first} to ${last}`);
  }
}

/** Test files in one process share its ports, even if they do not share modules. */
const shared = globalThis as { [PORTS]?: OwnPorts };
const PORTS = Symbol.for("presence-gateway.own-ports");

/** A port that belongs to this process, whether a program listens on it or not. */
export function ownPort(): Promise<number> {
  shared[PORTS] ??= new OwnPorts();
  return shared[PORTS].take();
}

/**
 * The part of the default range that the system does not use. Otherwise the range above the system's, or else
 * the default range.
 */
export function rangeBeside(system: PortRange): PortRange {
  const below = { first: USUAL.first, last: Math.min(USUAL.last, system.first - 1) };
  const above = { first: system.last + 1, last: 65_535 };
  return [below, above].find(({ first, last }) => last - first >= LEAST_BLOCKS * BLOCK) ?? USUAL;
}

/** The ports that the system assigns, also to clients. */
function systemRange(): PortRange {
  try {
    const [first, last] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/);
    return { first: Number(first), last: Number(last) };
  } catch {
    // The default of other systems.
    return { first: 49_152, last: 65_535 };
  }
}

function listen(port: number): Promise<Server | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => void server.close(() => resolve()));
}
