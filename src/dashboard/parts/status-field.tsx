import { FILTER_STATUSES, type FilterStatus, STATUS_TEXTS } from "../model/status.ts";

interface Props {
  /** Empty: any status. */
  readonly value: readonly FilterStatus[];
  readonly onChange: (value: readonly FilterStatus[] | undefined) => void;
}

/** Chooses statuses. None chosen means any. */
export function StatusField({ value, onChange }: Props) {
  const toggle = (status: FilterStatus) => {
    const chosen = FILTER_STATUSES.filter((each) => value.includes(each) !== (each === status));
    onChange(chosen.length > 0 ? chosen : undefined);
  };
  return (
    <fieldset class="choice">
      <legend>Status</legend>
      <div class="choice-options">
        {FILTER_STATUSES.map((status) => (
          <label key={status} title={STATUS_TEXTS[status]}>
            <input type="checkbox" checked={value.includes(status)} onChange={() => toggle(status)} />
            <span>{status === "dnd" ? "DND" : status}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
