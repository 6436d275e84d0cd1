import type { Change, Dialect } from "../load/dialect.ts";
import { LightSocket, rawTextFrame } from "../load/light-socket.ts";
import type { ServerKind } from "../servers/server-kind.ts";
import { ServerProcess } from "../servers/server-process.ts";
import { buildCentrifuge, centrifugeVersion } from "./centrifuge-build.ts";
import { procMissing } from "./proc.ts";
import { changesOf, type WholeState, wholeState } from "./whole-state.ts";

const PATH = "/connection/websocket";
const MAP = { type: 1 };
/** Of a map subscription that begins with the state, and of one that has it. */
const [STATE, LIVE] = [2, undefined];

// Commands and replies are lines of JSON; every command is answered. A command that is waited for has an id of its own.
const [ANY, ASKED] = [1, 2];
type Command = Readonly<Record<string, object>>;

interface Reply {
  readonly id?: number;
  readonly error?: object;
  readonly subscribe?: { readonly phase?: number };
  /** Without data: an entry is removed. */
  readonly push?: { readonly pub?: { readonly data?: WholeState } };
}

const dialect: Dialect = {
  folds: false,
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
      async ask(change) {
        await ask(socket, publish(change));
      },
    };
  },
  async watch(port, token, conversation) {
    const socket = await LightSocket.open(port, PATH);
    await ask(socket, [{ connect: { token } }]);
    const reply = await ask(socket, [{ subscribe: { ...MAP, channel: conversation, phase: STATE } }]);
    if (reply.subscribe?.phase !== LIVE) throw new Error("the state comes in pages, which is not expected");
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

/** Resolves with the answer to the last of the commands. */
async function ask(socket: LightSocket, commands: readonly Command[]): Promise<Reply> {
  const text = await socket.ask(frameOf(commands, ASKED), (text) => text.includes(`"id":${ASKED}`));
  const reply = repliesIn(text).findLast(({ id }) => id === ASKED);
  if (reply === undefined || reply.error !== undefined)
    throw new Error(`not expected: ${text.slice(0, 200)}`);
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
 * Centrifuge, the Go library that Centrifugo is made of, with a map subscription for each conversation. Not Centrifugo
 * itself, as the Go module proxy says of its module that it is not available.
 */
export const centrifuge: ServerKind = {
  name: "centrifuge",
  role: "peer",
  about: () =>
    `Centrifuge ${centrifugeVersion()}, the Go library that Centrifugo is made of, a recoverable map subscription for each conversation, in memory`,
  dialect,
  missing: async () => procMissing() ?? buildCentrifuge(),
  start: () => ServerProcess.start(new URL("centrifuge-server.js", import.meta.url), "centrifuge"),
};
