import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, rawTextFrame } from "../load/light-socket.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { buildCentrifuge, centrifugeVersion } from "./centrifuge-build.ts";
import { procMissing } from "./proc.ts";
import { changesOf, type WholeState, wholeState } from "./whole-state.ts";

const PATH = "/connection/websocket";
const MAP = { type: 1 };
/** Phases of a map subscription: sending the state, and live. */
const [STATE, LIVE] = [2, undefined];

// Commands and replies are lines of JSON. Each command gets a reply. Only the awaited command has the second
// id.
const [ANY, ASKED] = [1, 2];
type Command = Readonly<Record<string, object>>;

interface Reply {
  readonly id?: number;
  readonly error?: object;
  readonly subscribe?: { readonly phase?: number };
  /** Without data, the entry was removed. */
  readonly push?: { readonly pub?: { readonly data?: WholeState } };
}

const dialect: Dialect = {
  coalesces: false,
  open: (port) => LightSocket.open(port, PATH),
  async enter(socket, token, conversation) {
    await ask(socket, [{ connect: { token } }]);
    const after = wholeState(token, conversation);
    let channel = conversation;
    const publish = (change: Change): Command[] => {
      const left = channel;
      channel = change.selectedConversationId ?? channel;
      const entry = { publish: { ...MAP, channel, data: after(change) } };
      return channel === left ? [entry] : [{ publish: { ...MAP, channel: left, removed: true } }, entry];
    };
    await ask(socket, publish({}));
    return {
      socket,
      frame: (change) => frameOf(publish(change), ANY),
      async request(change) {
        await ask(socket, publish(change));
      },
    };
  },
  async watch(port, token, conversation) {
    const socket = await LightSocket.open(port, PATH);
    await ask(socket, [{ connect: { token } }]);
    const reply = await ask(socket, [{ subscribe: { ...MAP, channel: conversation, phase: STATE } }]);
    if (reply.subscribe?.phase !== LIVE) throw new Error("unexpected: the state arrives in pages");
    return socket;
  },
  changesIn: (text) =>
    repliesIn(text.toString()).flatMap(({ push }) => (push?.pub?.data ? changesOf(push.pub.data) : [])),
  query: (conversation) => ({
    path: "/presence",
    body: JSON.stringify({ conversation }),
    users: (answer) => (JSON.parse(answer) as readonly object[]).length,
  }),
};

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

/**
 * Centrifuge, the Go library of Centrifugo, with a map subscription per conversation. Centrifugo itself is
 * not used, because the Go module proxy does not provide its module.
 */
export const centrifuge: ServerKind = {
  name: "centrifuge",
  role: "peer",
  about: () =>
    `Centrifuge ${centrifugeVersion()}, the Go library of Centrifugo, in memory, ` +
    "with a recoverable map subscription per conversation",
  dialect,
  missing: async () => procMissing() ?? buildCentrifuge(),
  start: () => ServerProcess.start(new URL("centrifuge-server.js", import.meta.url), "centrifuge"),
};
