import type { PresenceFilter } from "../../client/types.ts";
import type { DashboardState } from "../model/dashboard-state.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { Choice } from "./choice.tsx";
import { ConversationField } from "./conversation-field.tsx";
import { CustomField } from "./custom-field.tsx";
import { StatusField } from "./status-field.tsx";
import { UsersField } from "./users-field.tsx";

interface Props {
  readonly state: DashboardState;
  readonly onChange: ChangeState;
}

type AnyYesNo = "any" | "yes" | "no";
const ANY_YES_NO: readonly (readonly [AnyYesNo, string])[] = [
  ["any", "Any"],
  ["yes", "Yes"],
  ["no", "No"],
];

/** One control for each field of the filter. */
export function FilterBar({ state, onChange }: Props) {
  const { filter } = state;
  const set = (change: PresenceFilter) => onChange({ filter: withoutAbsent({ ...filter, ...change }) });
  const isEmpty = Object.keys(filter).length === 0;
  return (
    <section class="filter-bar" aria-label="Filter">
      <ConversationField
        value={filter.selectedConversationId}
        onChange={(selectedConversationId) => set({ selectedConversationId })}
      />
      <Choice
        label="Has focus"
        options={ANY_YES_NO}
        value={toChoice(filter.hasFocus)}
        onChange={(value) => set({ hasFocus: fromChoice(value) })}
      />
      <Choice
        label="Is typing"
        options={ANY_YES_NO}
        value={toChoice(filter.isTyping)}
        onChange={(value) => set({ isTyping: fromChoice(value) })}
      />
      <fieldset class="choice">
        <legend>Background</legend>
        <label class="check">
          <input
            type="checkbox"
            checked={filter.includeBackgroundSessions === true}
            onChange={(event) => set({ includeBackgroundSessions: event.currentTarget.checked || undefined })}
          />
          <span>Include background sessions</span>
        </label>
      </fieldset>
      <StatusField value={filter.status ?? []} onChange={(status) => set({ status })} />
      <CustomField value={filter.custom ?? {}} onChange={(custom) => set({ custom })} />
      <UsersField
        userIds={filter.userIds ?? []}
        onChange={(userIds) => set({ userIds: userIds.length > 0 ? userIds : undefined })}
      />
      <button class="button reset" type="button" disabled={isEmpty} onClick={() => onChange({ filter: {} })}>
        Reset filter
      </button>
    </section>
  );
}

function toChoice(value: boolean | null | undefined): AnyYesNo {
  return value === true ? "yes" : value === false ? "no" : "any";
}

function fromChoice(choice: AnyYesNo): boolean | undefined {
  return choice === "any" ? undefined : choice === "yes";
}

function withoutAbsent(filter: PresenceFilter): PresenceFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
