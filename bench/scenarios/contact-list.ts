import { enterNew } from "../load/dialect.ts";
import { textFrame } from "../load/light-socket.ts";
import { pace } from "../load/pace.ts";
import { closeAll, connectSocket, expect, quiet, times } from "../load/sockets.ts";
import type { Contender, Effort, Scenario } from "../measure/scenario.ts";
import { shortListOfGateways } from "../measure/short-list.ts";
import { appToken, userToken } from "../servers/app.ts";
import type { ServerKind } from "../servers/server-kind.ts";

const CONTACTS = 1_000;
const WATCHERS: Readonly<Record<Effort, number>> = { quick: 100, normal: 500, full: 1_000 };
const EVENTS_PER_SECOND = 2_000;
/** Everybody begins to type, and stops. */
const MS = (2 * CONTACTS * 1_000) / EVENTS_PER_SECOND;

const COST = "CPU µs per event";
const TEXTS = "texts per socket and second";
const BYTES = "KB per socket and second";
const WHOLE = "all fields";
const SLIM = "fields: []";
const OWN = "fields: [], a list for each";

export const contactList: Scenario = {
  name: "contact-list",
  question: "What does it save to watch 1,000 contacts with `fields: []` while all of them type?",
  method:
    `1,000 contacts begin and stop typing, ${EVENTS_PER_SECOND.toLocaleString("en")} events per second. ` +
    "1,000 sockets watch all contacts (500 in normal runs, 100 in quick ones). With `fields: []` a contact " +
    "is only a status, so typing changes nothing that they see. The last contender gives each socket a filter of its own, " +
    "with all contacts but one, so each event concerns a thousand views.",
  rounds: { quick: 1, normal: 2, full: 3 },
  warmUps: 1,
  targets: [
    { figure: TEXTS, of: nameOf("gateway-uws", SLIM), atMost: 0 },
    { figure: TEXTS, of: nameOf("gateway-uws", OWN), atMost: 0 },
  ],
  async contenders({ kinds, effort }) {
    const contenders: Contender[] = [];
    for (const kind of shortListOfGateways(kinds, effort)) {
      for (const list of [WHOLE, SLIM, OWN]) contenders.push(await contender(kind, list, WATCHERS[effort]));
    }
    return contenders;
  },
};

function nameOf(kind: string, list: string): string {
  return `${kind}, ${list}`;
}

async function contender(kind: ServerKind, list: string, watchers: number): Promise<Contender> {
  const server = await kind.start({ MAX_SUBSCRIPTION_BYTES_PER_USER: String(2 ** 30) });
  const ids = Array.from({ length: CONTACTS }, (_, i) => `contact-${i}`);
  const contacts = await times(CONTACTS, async (i) =>
    enterNew(kind.dialect, server.port, await userToken(ids[i]!), `conversation-${Math.floor(i / 2)}`),
  );
  const token = await appToken();
  const sockets = await times(watchers, async (i) => {
    const userIds = list === OWN ? ids.filter((_, contact) => contact !== i) : ids;
    const filter = { userIds, ...(list === WHOLE ? {} : { fields: [] }) };
    const socket = await connectSocket(server.port, token);
    expect(await socket.request(textFrame({ type: "subscribe", id: 1, filter })), "snapshot");
    return socket;
  });
  const frames = contacts.map((contact) => [true, false].map((isTyping) => contact.frame({ isTyping })));
  let bytes = 0;
  for (const socket of sockets) {
    socket.onText = ({ length }) => {
      bytes += length;
    };
  }
  return {
    name: nameOf(kind.name, list),
    ...(list === WHOLE ? {} : { baseline: nameOf(kind.name, WHOLE) }),
    async round() {
      bytes = 0;
      const texts = () => sockets.reduce((sum, { received }) => sum + received, 0);
      const textsBefore = texts();
      const before = await server.usage();
      await pace(EVENTS_PER_SECOND, MS, (i) =>
        contacts[i % CONTACTS]!.socket.write(frames[i % CONTACTS]![i < CONTACTS ? 0 : 1]!),
      );
      // A reply to every contact shows that no event is still in transit.
      await Promise.all(contacts.map((contact) => contact.request({ isTyping: false })));
      await quiet(sockets);
      const { cpuMicros } = await server.usage();
      const perSecond = watchers * (MS / 1_000);
      return {
        [COST]: (cpuMicros - before.cpuMicros) / (2 * CONTACTS),
        [TEXTS]: (texts() - textsBefore) / perSecond,
        [BYTES]: bytes / 1_000 / perSecond,
      };
    },
    async close() {
      await closeAll([...contacts.map(({ socket }) => socket), ...sockets]);
      await server.stop();
    },
  };
}
