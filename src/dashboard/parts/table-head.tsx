import type { Sort } from "../model/dashboard-state.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { COLUMNS, SINCE_IN_CONVERSATION } from "./table-columns.ts";

interface Props {
  readonly sort: Sort;
  /** Whether the filter has one conversation. */
  readonly isInConversation: boolean;
  readonly onChange: ChangeState;
}

export function TableHead({ sort, isInConversation, onChange }: Props) {
  return (
    <div role="rowgroup" class="grid-head">
      <div role="row" class="grid-row" aria-rowindex={1}>
        {COLUMNS.map(({ name, title, sort: key }, index) => {
          const isSorted = key === sort.key;
          const text = name === "since" && isInConversation ? SINCE_IN_CONVERSATION : title;
          const direction = sort.isDescending ? "descending" : "ascending";
          return (
            <div
              key={name}
              role="columnheader"
              class={`cell ${name}`}
              aria-colindex={index + 1}
              aria-sort={isSorted ? direction : undefined}
            >
              {key === undefined ? (
                text
              ) : (
                <button
                  type="button"
                  class="sort"
                  onClick={() => onChange({ sort: { key, isDescending: isSorted && !sort.isDescending } })}
                >
                  {text}
                  <span class="arrow" aria-hidden="true">
                    {isSorted ? (sort.isDescending ? "↓" : "↑") : ""}
                  </span>
                </button>
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}
