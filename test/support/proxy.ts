import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";

/**
 * Bytes that one direction of a connection holds before it stops reading. The sender then notices, as on a
 * slow network.
 */
const MAX_HELD_BYTES = 256 * 1024;

export type Side = "client" | "server";

/** The current condition of the network, for all connections. */
interface Weather {
  blackhole: boolean;
  delayMs: number;
  sliceBytes: number;
  bytesPerSecond: number;
  /** Probability, per byte, that one of its bits changes. */
  corruption: number;
}

/** One direction of a connection. It holds the bytes of `source` until it forwards them to `sink`. */
class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #weather: Readonly<Weather>;
  readonly #onPassed: (bytes: number) => void;
  readonly #held: { bytes: Buffer; readonly due: number }[] = [];
  #heldBytes = 0;
  /** When the end of the source may be forwarded; infinite before the source has ended. */
  #endDue = Number.POSITIVE_INFINITY;
  #resetDue = Number.POSITIVE_INFINITY;
  #lastDue = 0;
  /** When the rate allows the next bytes. */
  #nextAt = 0;
  #sinkIsFull = false;
  #sinkIsEnded = false;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;

  constructor(source: Socket, sink: Socket, weather: Readonly<Weather>, onPassed: (bytes: number) => void) {
    this.#source = source;
    this.#sink = sink;
    this.#weather = weather;
    this.#onPassed = onPassed;
    source.on("data", (bytes: Buffer) => {
      // A side that received an end may still send. Nothing reads it any more.
      if (this.#sinkIsEnded) return;
      this.#held.push({ bytes, due: this.#due() });
      this.#heldBytes += bytes.length;
      if (this.#heldBytes >= MAX_HELD_BYTES) source.pause();
      this.pump();
    });
    source.on("end", () => {
      this.#endDue = this.#due();
      this.pump();
    });
    source.on("error", () => {
      this.#resetDue = this.#due();
      this.pump();
    });
    sink.on("drain", () => {
      this.#sinkIsFull = false;
      this.pump();
    });
  }

  get heldBytes(): number {
    return this.#heldBytes + this.#sink.writableLength;
  }

  get hasEnded(): boolean {
    return this.#endDue !== Number.POSITIVE_INFINITY || this.#source.destroyed;
  }

  /** Ends the sink, although the source has not ended. */
  endSink(): void {
    if (this.#sinkIsEnded) return;
    this.#sinkIsEnded = true;
    this.#drop();
    this.#sink.end();
  }

  /** Forwards everything that is due, and schedules the next call. */
  pump(): void {
    this.#forgetTimer();
    const weather = this.#weather;
    if (weather.blackhole || this.#sink.destroyed) return;
    for (;;) {
      const now = performance.now();
      const first = this.#held[0];
      const at = first === undefined ? this.#endDue : Math.max(first.due, this.#nextAt);
      const isBlocked = this.#sinkIsEnded || (first !== undefined && this.#sinkIsFull);
      if (isBlocked || now < at) {
        // A reset overtakes bytes that the sink has not accepted, as in TCP.
        if (now < this.#resetDue)
          return this.#wait(isBlocked ? this.#resetDue : Math.min(at, this.#resetDue));
        this.#drop();
        this.#sink.resetAndDestroy();
        return;
      }
      if (first === undefined) {
        this.endSink();
        continue;
      }
      this.#pass(first, now);
      // The receiver must read between two slices, or it gets them as one. The first immediate may come too
      // early for that.
      if (weather.sliceBytes !== Number.POSITIVE_INFINITY) {
        this.#timer = setImmediate(() => {
          this.#timer = setImmediate(() => this.pump());
        });
        return;
      }
    }
  }

  /** Discards held bytes. */
  close(): void {
    this.#forgetTimer();
    this.#drop();
  }

  #pass(first: { bytes: Buffer }, now: number): void {
    const { sliceBytes, bytesPerSecond } = this.#weather;
    // With a rate limit: the bytes that it allows in 20 ms.
    const size = Math.min(sliceBytes, Math.max(1, Math.floor(bytesPerSecond / 50)));
    const piece = this.#corrupted(first.bytes.subarray(0, size));
    if (piece.length === first.bytes.length) this.#held.shift();
    else first.bytes = first.bytes.subarray(size);
    this.#heldBytes -= piece.length;
    this.#nextAt = Math.max(now, this.#nextAt) + (piece.length / bytesPerSecond) * 1_000;
    this.#sinkIsFull = !this.#sink.write(piece);
    this.#onPassed(piece.length);
    if (this.#heldBytes < MAX_HELD_BYTES) this.#source.resume();
  }

  #corrupted(piece: Buffer): Buffer {
    const { corruption } = this.#weather;
    if (corruption === 0) return piece;
    const copy = Buffer.from(piece);
    for (let i = 0; i < copy.length; i++)
      if (Math.random() < corruption) copy[i]! ^= 1 << Math.floor(Math.random() * 8);
    return copy;
  }

  /** When bytes that arrive now may be forwarded: never before earlier bytes. */
  #due(): number {
    this.#lastDue = Math.max(this.#lastDue, performance.now() + this.#weather.delayMs);
    return this.#lastDue;
  }

  #drop(): void {
    this.#held.length = 0;
    this.#heldBytes = 0;
    this.#source.resume();
  }

  #wait(at: number): void {
    if (at === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(() => this.pump(), Math.max(1, at - performance.now()));
  }

  #forgetTimer(): void {
    // Each stream accepts only its own kind of chunk.
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = undefined;
  }
}

/** The connection of a client and its connection to the server. */
class Link {
  readonly #client: Socket;
  readonly #server = new Socket({ allowHalfOpen: true });
  readonly #toServer: Pipe;
  readonly #toClient: Pipe;
  readonly #weather: Readonly<Weather>;
  #isDialled = false;

  constructor(
    client: Socket,
    weather: Readonly<Weather>,
    onPassed: (side: Side, bytes: number) => void,
    onClosed: (link: Link) => void,
  ) {
    this.#client = client;
    this.#weather = weather;
    this.#toServer = new Pipe(client, this.#server, weather, (bytes) => onPassed("server", bytes));
    this.#toClient = new Pipe(this.#server, client, weather, (bytes) => onPassed("client", bytes));
    for (const socket of [client, this.#server]) {
      socket.setNoDelay(true);
      socket.on("close", () => {
        const isServerGone = !this.#isDialled || this.#server.destroyed;
        if (this.#client.destroyed && isServerGone) onClosed(this);
      });
    }
  }

  get clientIsThere(): boolean {
    return !this.#toServer.hasEnded;
  }

  get heldBytes(): number {
    return this.#toServer.heldBytes + this.#toClient.heldBytes;
  }

  /** The network may now forward more than before. */
  go(targetPort: number): void {
    if (!this.#weather.blackhole && !this.#isDialled) {
      // The client gave up before it reached the server.
      if (!this.clientIsThere) return this.cut();
      this.#isDialled = true;
      this.#server.connect(targetPort, "127.0.0.1");
    }
    this.#toServer.pump();
    this.#toClient.pump();
  }

  tellOfEnd(side: Side): void {
    (side === "client" ? this.#toClient : this.#toServer).endSink();
  }

  cut(): void {
    this.#toServer.close();
    this.#toClient.close();
    this.#client.resetAndDestroy();
    if (this.#isDialled) this.#server.resetAndDestroy();
    else this.#server.destroy();
  }
}

/**
 * A network between clients and a server on this machine, with the faults of real networks. Bytes stay
 * complete and in order until a connection is cut, unless corruption is on. Memory is bounded, because a
 * source is read no further than its sink accepts.
 */
export class TcpProxy {
  readonly #listener: Server;
  readonly #links = new Set<Link>();
  readonly #weather: Weather = {
    blackhole: false,
    delayMs: 0,
    sliceBytes: Number.POSITIVE_INFINITY,
    bytesPerSecond: Number.POSITIVE_INFINITY,
    corruption: 0,
  };
  #targetPort: number;
  #refuses = false;
  #accepted = 0;
  #bytesToServer = 0;
  #bytesToClient = 0;

  private constructor(targetPort: number) {
    this.#targetPort = targetPort;
    // Half-open: each direction ends separately.
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.#listener.listen(0, "127.0.0.1");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#listener.address() as AddressInfo).port;
  }

  /** Current connections whose client has neither ended nor reset its side, as far as that has been read. */
  get connections(): number {
    let count = 0;
    for (const link of this.#links) if (link.clientIsThere) count++;
    return count;
  }

  /** All connections so far, including refused ones. */
  get accepted(): number {
    return this.#accepted;
  }

  /** Forwarded bytes, without held ones. */
  get bytesToServer(): number {
    return this.#bytesToServer;
  }

  get bytesToClient(): number {
    return this.#bytesToClient;
  }

  /** Held bytes. */
  get heldBytes(): number {
    let bytes = 0;
    for (const link of this.#links) bytes += link.heldBytes;
    return bytes;
  }

  /** Resets both sides of all connections. Held bytes are lost. */
  cut(): void {
    for (const link of this.#links) link.cut();
    this.#links.clear();
  }

  /** Ends one side of each connection (FIN). Bytes from that side still pass. */
  halfClose(side: Side = "client"): void {
    for (const link of this.#links) link.tellOfEnd(side);
  }

  /**
   * Forwards nothing in either direction, not even ends and resets. New connections are accepted and lead
   * nowhere. Afterwards connections continue with the held bytes. A connection that was opened and closed
   * meanwhile never reaches the server.
   */
  blackhole(on: boolean): void {
    this.#weather.blackhole = on;
    this.#go();
  }

  /** Resets new connections at once. Existing connections stay. */
  refuse(on: boolean): void {
    this.#refuses = on;
  }

  /** Delays bytes that arrive from now on, in each direction. */
  delay(ms: number): void {
    this.#weather.delayMs = ms;
  }

  /** Forwards in pieces of at most this many bytes. Infinity keeps the pieces as they arrive. */
  slice(bytes: number): void {
    if (!(bytes >= 1)) throw new RangeError(`slices of ${bytes} bytes`);
    this.#weather.sliceBytes = bytes;
    this.#go();
  }

  /** Limits the rate of each direction of each connection. Infinity means no limit. */
  limit(bytesPerSecond: number): void {
    if (!(bytesPerSecond >= 1)) throw new RangeError(`${bytesPerSecond} bytes per second`);
    this.#weather.bytesPerSecond = bytesPerSecond;
    this.#go();
  }

  /** Changes a bit of a byte with this probability, like broken hardware behind the checksums. */
  corrupt(probability: number): void {
    if (!(probability >= 0 && probability <= 1)) throw new RangeError(`a probability of ${probability}`);
    this.#weather.corruption = probability;
  }

  /** Sends new connections to this port, after the server started again. */
  retarget(port: number): void {
    this.#targetPort = port;
  }

  async stop(): Promise<void> {
    this.cut();
    if (!this.#listener.listening) return;
    this.#listener.close();
    await once(this.#listener, "close");
  }

  #accept(client: Socket): void {
    this.#accepted++;
    if (this.#refuses) {
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const link = new Link(
      client,
      this.#weather,
      (side, bytes) => {
        if (side === "server") this.#bytesToServer += bytes;
        else this.#bytesToClient += bytes;
      },
      (closed) => this.#links.delete(closed),
    );
    this.#links.add(link);
    link.go(this.#targetPort);
  }

  #go(): void {
    for (const link of this.#links) link.go(this.#targetPort);
  }
}
