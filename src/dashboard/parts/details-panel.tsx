import { useEffect, useRef, useState } from "preact/hooks";
import type { PresenceSession, PresenceValue } from "../../client/types.ts";
import type { Credentials } from "../model/credentials.ts";
import { dayAndTime, sinceDuration, sinceTime } from "../model/format.ts";
import { type Row, sessionsOf } from "../model/row.ts";
import type { Since, Times } from "../model/session-times.ts";
import type { DeclaredStatus } from "../model/status.ts";
import { STATUS_TEXTS } from "../model/status.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { type AppFeatures, type LastSeen, UserFacts } from "../store/user-facts.ts";
import { UserActions } from "./user-actions.tsx";
import { UserStatus } from "./user-status.tsx";
import { UserText } from "./user-text.tsx";

interface Props {
  readonly app: AppFeatures;
  readonly credentials: Credentials;
  readonly store: PresenceStore;
  readonly userId: string;
  readonly onUser: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
  readonly onClose: () => void;
}

/** One user with all sessions, also outside the filter. They are live even while the page is paused. */
export function DetailsPanel({ app, credentials, store, userId, onUser, onConversation, onClose }: Props) {
  useTopic(store.changed);
  useTopic(store.ticked);
  const [facts] = useState(() => new UserFacts(credentials, userId, app));
  useTopic(facts.changed);
  useEffect(() => () => facts.close(), [facts]);
  useEffect(() => facts.renew(credentials), [facts, credentials]);
  const [sessions] = useState(() => store.follow(userId));
  useTopic(sessions.changed);
  useEffect(() => () => sessions.close(), [sessions]);
  const title = useRef<HTMLHeadingElement>(null);
  const cameFrom = useRef<Element | null>(null);
  useEffect(() => {
    cameFrom.current = document.activeElement;
    title.current?.focus({ preventScroll: true });
  }, []);
  const close = () => {
    onClose();
    if (cameFrom.current instanceof HTMLElement) cameFrom.current.focus({ preventScroll: true });
  };
  const listed = store.live.get(userId);
  const row = sessions.isKnown ? sessions.row : listed;
  return (
    <section
      class={store.isLive ? "panel details" : "panel details stale"}
      aria-labelledby="details-title"
      onKeyDown={(event) => event.key === "Escape" && close()}
    >
      <div class="panel-head">
        <h2 id="details-title" ref={title} tabIndex={-1}>
          <UserText text={userId} />
        </h2>
        <button class="button" type="button" aria-label="Close details" onClick={close}>
          ×
        </button>
      </div>
      {row !== undefined && (
        <p>
          <UserStatus value={row.value} />
        </p>
      )}
      {sessions.isKnown && row === undefined && <p class="muted">This user has no session now.</p>}
      {row !== undefined && listed === undefined && !store.isPending && (
        <p class="muted">This user does not match the filter now.</p>
      )}
      <Facts row={row} facts={facts} />
      <UserActions
        credentials={credentials}
        userId={userId}
        declared={facts.declared}
        onUser={onUser}
        onDone={() => facts.refresh()}
      />
      {row !== undefined && (
        <Sessions
          row={row}
          listed={store.isPending ? undefined : listed?.value}
          onConversation={onConversation}
        />
      )}
    </section>
  );
}

interface FactsProps {
  readonly row: Row | undefined;
  readonly facts: UserFacts;
}

/** Since when the user is online, and what the gateway keeps of the user. */
function Facts({ row, facts: { declared, lastSeen } }: FactsProps) {
  return (
    <dl class="pairs user-facts">
      {row !== undefined && (
        <>
          <dt>Online since</dt>
          <dd>
            <SinceText since={row.online} />
          </dd>
        </>
      )}
      {declared !== undefined && isDeclared(declared) && (
        <>
          <dt>Declared</dt>
          <dd>
            <Declared declared={declared} />
          </dd>
        </>
      )}
      {lastSeen !== undefined && (
        <>
          <dt>Last seen</dt>
          <dd>{lastSeenText(lastSeen)}</dd>
        </>
      )}
    </dl>
  );
}

function isDeclared({ availability, text, emoji }: DeclaredStatus): boolean {
  return availability !== "available" || text !== undefined || emoji !== undefined;
}

function Declared({ declared: { availability, text, emoji, expiresAt } }: { declared: DeclaredStatus }) {
  return (
    <>
      {availability === "available" ? availability : STATUS_TEXTS[availability]}
      {emoji !== undefined && (
        <>
          {" "}
          <bdi>{emoji}</bdi>
        </>
      )}
      {text !== undefined && (
        <>
          {" "}
          <bdi>{text}</bdi>
        </>
      )}
      {expiresAt !== undefined && <span class="muted"> until {dayAndTime(expiresAt)}</span>}
    </>
  );
}

function lastSeenText(lastSeen: LastSeen): string {
  if (lastSeen === "never") return "never";
  return "status" in lastSeen ? "now" : dayAndTime(lastSeen.lastSeenAt);
}

interface SessionsProps {
  readonly row: Row;
  /** The sessions that match the filter; undefined if none does, or that is not known. */
  readonly listed: PresenceValue | undefined;
  readonly onConversation: (id: string | null) => void;
}

function Sessions({ row: { value, times }, listed, onConversation }: SessionsProps) {
  const matching = listed && new Set(sessionsOf(listed).map(({ sessionId }) => sessionId));
  return (
    <ul class="sessions">
      {sessionsOf(value).map((session, index) => (
        <SessionCard
          key={session.sessionId}
          kind={index < value.widgets.length ? "Widget" : "Background"}
          session={session}
          times={times[index]!}
          isOutside={matching?.has(session.sessionId) === false}
          onConversation={onConversation}
        />
      ))}
    </ul>
  );
}

function SinceText({ since }: { readonly since: Since }) {
  return (
    <>
      {sinceTime(since)} <span class="muted">({sinceDuration(since, Date.now())})</span>
    </>
  );
}

interface SessionProps {
  readonly kind: string;
  readonly session: PresenceSession;
  readonly times: Times;
  /** Whether the filter leaves it out, though it shows another session of the user. */
  readonly isOutside: boolean;
  readonly onConversation: (id: string | null) => void;
}

function SessionCard({ kind, session, times, isOutside, onConversation }: SessionProps) {
  const { selectedConversationId, hasFocus, isTyping, custom, sessionId } = session;
  return (
    <li class="session">
      <p class="session-head">
        <strong>{kind}</strong>
        {isTyping && <span class="badge typing">typing</span>}
        {hasFocus && <span class="badge focused">focused</span>}
        {isOutside && <span class="muted">outside the filter</span>}
      </p>
      <dl class="pairs">
        <dt>Conversation</dt>
        <dd>
          <button type="button" class="link" onClick={() => onConversation(selectedConversationId)}>
            {selectedConversationId === null ? "none" : <UserText text={selectedConversationId} />}
          </button>
        </dd>
        {selectedConversationId !== null && <dt>In it since</dt>}
        {selectedConversationId !== null && (
          <dd>
            <SinceText since={times.conversation} />
          </dd>
        )}
        <dt>Open since</dt>
        <dd>
          <SinceText since={times.online} />
        </dd>
        {Object.entries(custom).map(([name, value]) => [
          <dt key={`name ${name}`}>
            <UserText text={name} />
          </dt>,
          <dd key={`value ${name}`} class="custom-value">
            <bdi>{value}</bdi>
          </dd>,
        ])}
        <dt>Session</dt>
        <dd class="mono">
          <UserText text={sessionId} />
        </dd>
      </dl>
    </li>
  );
}
