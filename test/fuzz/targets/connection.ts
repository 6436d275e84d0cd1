import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { decodeMessage } from "../../../src/protocol/codec.ts";
import { mintToken } from "../../../src/server/auth/mint.ts";
import { Connection } from "../../../src/server/gateway/connection.ts";
import type { Frame } from "../../../src/server/gateway/frame.ts";
import type { Random } from "../../support/random.ts";
import type { Outcome, Target } from "../fuzz.ts";
import { nearTo } from "../mutate.ts";
import { CLIENT_MESSAGES, WORDS } from "../samples.ts";
import { APP_ID, SECRET, World } from "./world.ts";

/** Long enough to never exceed the limit of bad messages per minute. */
const BETWEEN_MS = 4_000;
/** After this many inputs the socket closes, and another one opens. */
const LIFE = 30;

interface Sent {
  readonly type: string;
  readonly code?: string;
}

/** A socket without a network. */
class Peer {
  readonly sent: Sent[] = [];
  readonly connection: Connection;
  closed: number | undefined;
  readonly buffered = 0;
  readonly progress = 0;

  constructor(world: World) {
    this.connection = new Connection(world.node, world.presence, this, {
      release: () => {},
      admitMessage: () => true,
      checkBudget: () => ({ takeChecks: () => true, returnChecks: () => {} }),
    });
  }

  send(frame: Frame): boolean {
    this.sent.push(JSON.parse(frame.text));
    return true;
  }
  authorized(): void {}
  ping(): void {}
  close(code: number): void {
    this.closed = code;
    this.connection.onClose(1006);
  }
  terminate(): void {
    this.closed ??= 1006;
  }
}

const world = new World({ RESUME_WINDOW_MS: "0" });
const appToken = await mintToken(APP_ID, SECRET, { tokenType: "app" });
const userToken = await mintToken(APP_ID, SECRET, { tokenType: "user", sub: "alice", read: "all" });

let peer: Peer | undefined;
let age = 0;
let life = 0;

function meet(): Peer {
  world.node.run(world.time);
  const fresh = new Peer(world);
  // Every second socket belongs to a user, with fewer rights.
  const token = life++ % 2 === 0 ? appToken : userToken;
  fresh.connection.onText(JSON.stringify({ type: "connect", token }), 100);
  assert.equal(fresh.sent[0]?.type, "connected");
  for (const message of [
    { type: "open", kind: "widget", userId: "alice", selectedConversationId: "c1", custom: { mood: "calm" } },
    { type: "subscribe", id: 1, filter: { selectedConversationId: "c1" } },
  ]) {
    fresh.connection.onText(JSON.stringify(message), 100);
  }
  age = 0;
  return fresh;
}

function part(gone: Peer): void {
  gone.connection.onClose(1000);
  world.presence.transact(world.time, (sessions) => sessions.forceEndAll("alice"));
  world.presence.transact(world.time, (sessions) => sessions.forceEndAll("bob"));
}

const near = nearTo(CLIENT_MESSAGES, WORDS, 20);

/** One message to a socket with a session and a subscription. A refused message changes nothing. */
export const connection: Target = {
  name: "connection",
  inputs: 20_000,
  make: (random: Random) => near(random),
  async check(input): Promise<Outcome> {
    if (peer !== undefined && age++ >= LIFE) {
      part(peer);
      peer = undefined;
    }
    peer ??= meet();
    world.time += BETWEEN_MS;
    const { sent } = peer;
    sent.length = 0;
    const before = world.state();
    const decoded = decodeMessage(input);
    peer.connection.onText(input, Buffer.byteLength(input));
    const type = decoded.kind === "message" ? decoded.message.type : undefined;
    if (type === "subscribe" || type === "query") await setImmediate();
    if (peer.closed !== undefined) {
      assert(type === "refresh" || decoded.kind === "not-json", `closed ${peer.closed}`);
      part(peer);
      peer = undefined;
      return "refused";
    }
    const errors = sent.filter((message) => message.type === "error");
    const mayHaveDoneSomething = type === "unsubscribe" && sent.some((message) => message.type === "ok");
    if (errors.length > 0 && !mayHaveDoneSomething) assert.equal(world.state(), before);
    if (decoded.kind !== "bad") return errors.length === 0 ? "taken" : "refused";
    assert.deepEqual(
      sent.map((message) => [message.type, message.code]),
      [["error", "BAD_MESSAGE"]],
    );
    return "refused";
  },
};
