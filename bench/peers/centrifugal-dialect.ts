import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, rawTextFrame } from "../load/light-socket.ts";
import { changesOf, type WholeState, wholeState } from "./whole-state.ts";

// The protocol of Centrifuge and Centrifugo. Commands and replies are lines of JSON. Each command gets a
// reply. Only the awaited command has the second id.

const PATH = "/connection/websocket";
const [ANY, ASKED] = [1, 2];
const MAP = { type: 1 };
/** Phases of a map subscription: sending the state, and live. */
const [STATE, LIVE] = [2, undefined];

type Command = Readonly<Record<string, object>>;

interface Reply {
  readonly id?: number;
  readonly error?: object;
  readonly subscribe?: { readonly phase?: number };
  /** Without data, an entry was removed, or a client joined or left. */
  readonly push?: { readonly pub?: { readonly data?: WholeState } };
}

/** The commands by which a client is in a conversation. */
interface Membership {
  /** With the state of the client, if others can see it from this alone. */
  enter(conversation: string, data: WholeState): Command;
  change(conversation: string, data: WholeState): Command;
  leave(conversation: string): Command;
  watch(conversation: string): Command;
}

const putEntry = (channel: string, data: WholeState) => ({ publish: { ...MAP, channel, data } });

/** A map subscription per conversation: members keep an entry there, and watchers subscribe to it. */
export const mapDialect = dialectOf({
  enter: putEntry,
  change: putEntry,
  leave: (channel) => ({ publish: { ...MAP, channel, removed: true } }),
  watch: (channel) => ({ subscribe: { ...MAP, channel, phase: STATE } }),
});

/**
 * Members subscribe to the channel of a conversation, which has presence. Only watchers are told who joins
 * and leaves. What members do is published there.
 */
export const presenceDialect = dialectOf({
  enter: (channel) => ({ subscribe: { channel } }),
  change: (channel, data) => ({ publish: { channel, data } }),
  leave: (channel) => ({ unsubscribe: { channel } }),
  watch: (channel) => ({ subscribe: { channel, join_leave: true } }),
});

function dialectOf(membership: Membership): Dialect {
  return {
    coalesces: false,
    open: (port) => LightSocket.open(port, PATH),
    async enter(socket, token, conversation) {
      await ask(socket, [{ connect: { token } }]);
      const after = wholeState(token, conversation);
      let channel = conversation;
      await ask(socket, [membership.enter(channel, after({}))]);
      const commandsOf = (change: Change): Command[] => {
        const left = channel;
        channel = change.selectedConversationId ?? channel;
        const state = after(change);
        if (channel === left) return [membership.change(channel, state)];
        return [membership.leave(left), membership.enter(channel, state)];
      };
      return {
        socket,
        frame: (change) => frameOf(commandsOf(change), ANY),
        async request(change) {
          await ask(socket, commandsOf(change));
        },
      };
    },
    async watch(port, token, conversation) {
      const socket = await LightSocket.open(port, PATH);
      await ask(socket, [{ connect: { token } }]);
      const reply = await ask(socket, [membership.watch(conversation)]);
      if (reply.subscribe?.phase !== LIVE) throw new Error("unexpected: the state arrives in pages");
      return socket;
    },
    changesIn: (text) =>
      repliesIn(text.toString()).flatMap(({ push }) => (push?.pub?.data ? changesOf(push.pub.data) : [])),
  };
}

/** Resolves with the reply to the last command. */
async function ask(socket: LightSocket, commands: readonly Command[]): Promise<Reply> {
  const text = await socket.request(frameOf(commands, ASKED), (text) => text.includes(`"id":${ASKED}`));
  const reply = repliesIn(text).findLast(({ id }) => id === ASKED);
  if (reply === undefined || reply.error !== undefined)
    throw new Error(`unexpected reply: ${text.slice(0, 200)}`);
  return reply;
}

function repliesIn(text: string): Reply[] {
  return text.split("\n").map((line) => JSON.parse(line));
}

function frameOf(commands: readonly Command[], id: number): Buffer {
  const lines = commands.map((command, i) => ({ id: i === commands.length - 1 ? id : ANY, ...command }));
  return rawTextFrame(lines.map((line) => JSON.stringify(line)).join("\n"));
}
