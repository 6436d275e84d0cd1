/** @jsxImportSource react */
// A minimal chat. Tests mount, change and unmount it from outside the page.
import {
  createClient,
  type OpenOptions,
  type PresenceFilter,
  type PresenceValue,
} from "@presence-gateway/client";
import {
  PresenceProvider,
  useMyStatus,
  usePresence,
  usePresenceCount,
  useSession,
  useStatus,
} from "@presence-gateway/react";
import { Activity, memo, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";

interface Chat {
  readonly url: string;
  readonly appId: string;
  readonly token: string;
  readonly session: OpenOptions | null;
  readonly filter: PresenceFilter | null;
  /** The page's own client, instead of the provider's. */
  readonly ownClient?: boolean;
  /** The token as a text, instead of a function. */
  readonly isText?: boolean;
  /** A second component with the same filter. */
  readonly hasNeighbour?: boolean;
  readonly isHidden?: boolean;
  /** Whose own status is shown, and how many users are in the filter. */
  readonly me?: string;
}

const log = { renders: {} as Record<string, number>, tokens: 0, neighbour: [] as string[] };
let root: Root | undefined;
let client: ReturnType<typeof createClient> | undefined;

const Row = memo(({ userId, value }: { userId: string; value: PresenceValue }) => {
  log.renders[userId] = (log.renders[userId] ?? 0) + 1;
  const isTyping = [...value.widgets, ...value.backgroundSessions].some((session) => session.isTyping);
  return (
    <li>
      {userId}
      {isTyping ? " is typing" : ""}
    </li>
  );
});

function Talk({ session, filter }: Pick<Chat, "session" | "filter">) {
  // New objects in each render, as applications write it.
  const { typing, stopTyping } = useSession(session && { ...session });
  const { users, state, error } = usePresence(filter && { ...filter });
  const status = useStatus();
  return (
    <main>
      <input aria-label="message" onInput={typing} onBlur={stopTyping} />
      <p id="state">
        {status} {state} {error?.code}
      </p>
      <ul>
        {[...users].map(([userId, value]) => (
          <Row key={userId} userId={userId} value={value} />
        ))}
      </ul>
    </main>
  );
}

function Me({ me, filter }: { me: string; filter: Chat["filter"] }) {
  const { status, text, set } = useMyStatus(me);
  const { count, state } = usePresenceCount(filter && { ...filter });
  return (
    <button type="button" onClick={() => void set({ availability: "dnd", text: "busy" })}>
      {status} {text} {state} {count}
    </button>
  );
}

/** Records each of its renders. */
function Neighbour({ filter }: Pick<Chat, "filter">) {
  const { users, state } = usePresence(filter && { ...filter });
  log.neighbour.push(`${state} ${[...users.keys()].join()}`);
  return null;
}

function show(chat: Chat): void {
  const { url, appId, token, ownClient, isText, hasNeighbour, isHidden } = chat;
  if (ownClient) client ??= createClient({ url, appId, token });
  const options = ownClient
    ? { client: client! }
    : {
        url,
        appId,
        token: isText
          ? token
          : () => {
              log.tokens++;
              return token;
            },
      };
  root ??= createRoot(document.querySelector("#root")!);
  root.render(
    <StrictMode>
      <Activity mode={isHidden ? "hidden" : "visible"}>
        <PresenceProvider {...options}>
          <Talk session={chat.session} filter={chat.filter} />
          {chat.me && <Me me={chat.me} filter={chat.filter} />}
          {hasNeighbour && <Neighbour filter={chat.filter} />}
        </PresenceProvider>
      </Activity>
    </StrictMode>,
  );
}

function hide(): void {
  root?.unmount();
  root = undefined;
}

Object.assign(globalThis, { show, hide, log });
