import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";

/** A block begins with the port that says whose it is. */
const BLOCK = 32;
/** Where blocks are looked for, unless the system hands out ports of that range by itself. */
const USUAL: PortRange = { first: 12_000, last: 29_999 };
const LEAST_BLOCKS = 64;

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Ports for programs that must be told theirs, or that come back to the same one. Nobody else on the machine is given
 * them meanwhile: they lie outside of what the system hands out by itself, and a block of them belongs to the process that
 * listens on its first port, for as long as it lives. A port of it that somebody has all the same is passed over.
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

  /** A port that it has not given before. */
  take(): Promise<number> {
    const taken = this.#turn.then(() => this.#take());
    this.#turn = taken.catch(() => {});
    return taken;
  }

  /** Gives all of them back. The end of the process does that, too. */
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
    // Processes have different numbers: most begin where nobody else does.
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

/** Test files that share a process share its ports, whether or not they share their modules. */
const shared = globalThis as { [PORTS]?: OwnPorts };
const PORTS = Symbol.for("presence-gateway.own-ports");

/** A port that is this process's own, whether anything listens on it at the moment or not. */
export function ownPort(): Promise<number> {
  shared[PORTS] ??= new OwnPorts();
  return shared[PORTS].take();
}

/** The usual range, or what of it the system leaves alone, or what is above the system's; where that is all, the usual one. */
export function rangeBeside(system: PortRange): PortRange {
  const below = { first: USUAL.first, last: Math.min(USUAL.last, system.first - 1) };
  const above = { first: system.last + 1, last: 65_535 };
  return [below, above].find(({ first, last }) => last - first >= LEAST_BLOCKS * BLOCK) ?? USUAL;
}

/** The ports that the system hands out by itself, to clients too. */
function systemRange(): PortRange {
  try {
    const [first, last] = readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").trim().split(/\s+/);
    return { first: Number(first), last: Number(last) };
  } catch {
    // As other systems have it.
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
