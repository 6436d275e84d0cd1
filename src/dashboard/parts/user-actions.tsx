import { useState } from "preact/hooks";
import type { Credentials } from "../model/credentials.ts";
import { plural } from "../model/format.ts";
import {
  AVAILABILITIES,
  AVAILABILITY_TEXTS,
  type Availability,
  type DeclaredStatus,
  EXPIRIES,
  MAX_STATUS_EMOJI,
  MAX_STATUS_TEXT,
} from "../model/status.ts";
import { clearStatus, endSessions, eraseUser, setStatus } from "../store/user-commands.ts";
import { Question } from "./question.tsx";

interface Props {
  readonly credentials: Credentials;
  readonly userId: string;
  /** Undefined while it is not known. */
  readonly declared: DeclaredStatus | undefined;
  readonly onUser: (userId: string) => void;
  /** Something was done to the user. */
  readonly onDone: () => void;
}

/** What the page can do with a user. Everything that changes something for the user has a question first. */
export function UserActions({ credentials, userId, declared, onUser, onDone }: Props) {
  const [outcome, setOutcome] = useState("");
  const common = { onOutcome: setOutcome };
  const done = (sentence: string) => {
    onDone();
    return sentence;
  };
  const ended = (count: number) => `${plural(count, "session has", "sessions have")} ended.`;
  return (
    <div class="actions">
      <button class="button" type="button" onClick={() => onUser(userId)}>
        Show this user only
      </button>
      <Question
        {...common}
        label="Set status…"
        confirm="Set it"
        text="Set the status of this user? It replaces what the user has declared. Everyone sees it at once."
        run={async (fields) => {
          await setStatus(credentials, userId, {
            availability: fields.get("availability") as Availability,
            text: String(fields.get("text")),
            emoji: String(fields.get("emoji")),
            expiresInMs: EXPIRIES[Number(fields.get("expiry"))]?.[0],
          });
          return done("The status is set.");
        }}
      >
        <StatusFields declared={declared} />
      </Question>
      <Question
        {...common}
        label="Clear status…"
        confirm="Clear it"
        text="Clear what this user has declared, with text and emoji?"
        run={async () => {
          await clearStatus(credentials, userId);
          return done("The status is cleared.");
        }}
      />
      <Question
        {...common}
        isDangerous
        label="End sessions…"
        confirm="End them"
        text={
          "End all sessions of this user? That includes other devices, and sessions that the filter leaves " +
          "out. The user's pages may open new ones."
        }
        run={async () => done(ended(await endSessions(credentials, userId)))}
      />
      <Question
        {...common}
        isDangerous
        label="Erase user…"
        confirm="Erase the user"
        text={
          "Erase this user? All sessions end, and the gateway forgets the status and when the user was last " +
          "seen. That cannot be undone. The user's pages may open new sessions."
        }
        run={async () => done(`The user is erased. ${ended(await eraseUser(credentials, userId))}`)}
      />
      <span class="muted" role="status">
        {outcome}
      </span>
    </div>
  );
}

/** The fields begin with what is declared when the question opens. */
function StatusFields({ declared: current }: Pick<Props, "declared">) {
  const [declared] = useState(current);
  return (
    <div class="status-fields">
      <label>
        <span>Status</span>
        <select class="text-field" name="availability">
          {AVAILABILITIES.map((availability) => (
            <option
              key={availability}
              value={availability}
              selected={availability === (declared?.availability ?? "available")}
            >
              {AVAILABILITY_TEXTS[availability]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>Emoji</span>
        <input
          class="text-field"
          type="text"
          name="emoji"
          maxLength={MAX_STATUS_EMOJI}
          defaultValue={declared?.emoji ?? ""}
        />
      </label>
      <label>
        <span>Text</span>
        <input
          class="text-field"
          type="text"
          name="text"
          dir="auto"
          maxLength={MAX_STATUS_TEXT}
          defaultValue={declared?.text ?? ""}
        />
      </label>
      <label>
        <span>How long</span>
        <select class="text-field" name="expiry">
          {EXPIRIES.map(([, text], index) => (
            <option key={text} value={index}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}
