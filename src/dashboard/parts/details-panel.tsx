import { useEffect, useRef } from "preact/hooks";
import type { PresenceSession } from "../../client/types.ts";
import type { PresenceStore } from "../store/presence-store.ts";
import { useTopic } from "../store/use-topic.ts";
import { UserText } from "./user-text.tsx";

interface Props {
  readonly store: PresenceStore;
  readonly userId: string;
  readonly onUser: (userId: string) => void;
  readonly onConversation: (id: string | null) => void;
  readonly onClose: () => void;
}

/** One user with all sessions that match the filter, live. */
export function DetailsPanel({ store, userId, onUser, onConversation, onClose }: Props) {
  useTopic(store.changed);
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
  const row = store.rows.get(userId);
  const session = (kind: string) => (each: PresenceSession) => (
    <SessionCard key={each.sessionId} kind={kind} session={each} onConversation={onConversation} />
  );
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
      {row === undefined ? (
        <p class="muted">This user does not match the filter now.</p>
      ) : (
        <ul class="sessions">
          {row.value.widgets.map(session("Widget"))}
          {row.value.backgroundSessions.map(session("Background"))}
        </ul>
      )}
      <div class="actions">
        <button class="button" type="button" onClick={() => onUser(userId)}>
          Show this user only
        </button>
      </div>
    </section>
  );
}

interface SessionProps {
  readonly kind: string;
  readonly session: PresenceSession;
  readonly onConversation: (id: string | null) => void;
}

function SessionCard({ kind, session, onConversation }: SessionProps) {
  const { selectedConversationId, hasFocus, isTyping, custom, sessionId } = session;
  return (
    <li class="session">
      <p class="session-head">
        <strong>{kind}</strong>
        {isTyping && <span class="badge typing">typing</span>}
        {hasFocus && <span class="badge focused">focused</span>}
      </p>
      <dl class="pairs">
        <dt>Conversation</dt>
        <dd>
          <button type="button" class="link" onClick={() => onConversation(selectedConversationId)}>
            {selectedConversationId === null ? "none" : <UserText text={selectedConversationId} />}
          </button>
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
