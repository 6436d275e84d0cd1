import { once } from "node:events";
import { type AddressInfo, createServer, type Server, Socket } from "node:net";

/** What one direction of a connection holds before it stops reading: the sender then feels it, as with a slow network. */
const MAX_HELD_BYTES = 256 * 1024;

export type Side = "client" | "server";

/** How the network is at the moment, for all connections alike. */
interface Weather {
  blackhole: boolean;
  delayMs: number;
  sliceBytes: number;
  bytesPerSecond: number;
  /** How likely it is, for each byte, that one of its bits is changed. */
  corruption: number;
}

/** One direction of a connection: what `source` says is held here until it is passed on to `sink`. */
class Pipe {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #weather: Readonly<Weather>;
  readonly #onPassed: (bytes: number) => void;
  readonly #held: { bytes: Buffer; readonly due: number }[] = [];
  #heldBytes = 0;
  /** When the source's end may be passed on; infinite before it has ended. */
  #endDue = Number.POSITIVE_INFINITY;
  #resetDue = Number.POSITIVE_INFINITY;
  #lastDue = 0;
  /** When the rate allows more. */
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
      // Who was told that we ended may still speak; nobody listens.
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

  /** Tells the sink that the source has ended, though it has not. */
  endSink(): void {
    if (this.#sinkIsEnded) return;
    this.#sinkIsEnded = true;
    this.#drop();
    this.#sink.end();
  }

  /** Passes on all that may be by now, and comes back when more may be. */
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
        // A reset overtakes what the sink did not take in time, as it does in TCP.
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
      // The receiver is to read between two slices, or they reach it as one. The first immediate may still come before it can.
      if (weather.sliceBytes !== Number.POSITIVE_INFINITY) {
        this.#timer = setImmediate(() => {
          this.#timer = setImmediate(() => this.pump());
        });
        return;
      }
    }
  }

  /** Forgets what is held. */
  close(): void {
    this.#forgetTimer();
    this.#drop();
  }

  #pass(first: { bytes: Buffer }, now: number): void {
    const { sliceBytes, bytesPerSecond } = this.#weather;
    // With a rate: as many as it allows in 20 ms.
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

  /** When what comes now may go on: never before what came earlier. */
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
    // Each takes only its own kind.
    clearTimeout(this.#timer as NodeJS.Timeout);
    clearImmediate(this.#timer as NodeJS.Immediate);
    this.#timer = undefined;
  }
}

/** A client's connection and the one to the server that belongs to it. */
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

  /** The network may let more through than before. */
  go(targetPort: number): void {
    if (!this.#weather.blackhole && !this.#isDialled) {
      // It gave up before it reached anything.
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
 * A network between clients and a server on this machine, which does what networks do. Bytes are kept in order and whole, unless it is
 * told to corrupt them, until a connection is cut; memory is bounded, as a source is not read further than its sink takes.
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
    // Half-open: each direction ends by itself.
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

  /** Connections now whose client has neither ended nor reset its side, so far as that has been read. */
  get connections(): number {
    let count = 0;
    for (const link of this.#links) if (link.clientIsThere) count++;
    return count;
  }

  /** Connections ever, refused ones included. */
  get accepted(): number {
    return this.#accepted;
  }

  /** What was passed on, held bytes not counted. */
  get bytesToServer(): number {
    return this.#bytesToServer;
  }

  get bytesToClient(): number {
    return this.#bytesToClient;
  }

  /** What waits here to be passed on. */
  get heldBytes(): number {
    let bytes = 0;
    for (const link of this.#links) bytes += link.heldBytes;
    return bytes;
  }

  /** Resets all connections, both sides of them. What was held is lost. */
  cut(): void {
    for (const link of this.#links) link.cut();
    this.#links.clear();
  }

  /** Tells this side of each connection that the other has ended (FIN). What it says itself still passes. */
  halfClose(side: Side = "client"): void {
    for (const link of this.#links) link.tellOfEnd(side);
  }

  /**
   * Passes nothing either way, ends and resets included; new connections are accepted and go nowhere. Afterwards connections go on with
   * what was held meanwhile; one that was made and given up meanwhile never reaches the server.
   */
  blackhole(on: boolean): void {
    this.#weather.blackhole = on;
    this.#go();
  }

  /** Resets new connections at once. Those that are there stay. */
  refuse(on: boolean): void {
    this.#refuses = on;
  }

  /** What comes from now on arrives this much later, in each direction. */
  delay(ms: number): void {
    this.#weather.delayMs = ms;
  }

  /** Passes on in pieces of at most so many bytes; infinite: as they come. */
  slice(bytes: number): void {
    if (!(bytes >= 1)) throw new RangeError(`slices of ${bytes} bytes`);
    this.#weather.sliceBytes = bytes;
    this.#go();
  }

  /** For each connection, in each direction; infinite: no limit. */
  limit(bytesPerSecond: number): void {
    if (!(bytesPerSecond >= 1)) throw new RangeError(`${bytesPerSecond} bytes per second`);
    this.#weather.bytesPerSecond = bytesPerSecond;
    this.#go();
  }

  /** Changes a bit of a byte with this probability, as broken hardware does behind the checksums. */
  corrupt(probability: number): void {
    if (!(probability >= 0 && probability <= 1)) throw new RangeError(`a probability of ${probability}`);
    this.#weather.corruption = probability;
  }

  /** New connections go to this port: the server was started again. */
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
