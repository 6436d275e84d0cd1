import type { Sort } from "../model/dashboard-state.ts";
import type { ChangeState } from "../store/use-dashboard-state.ts";
import { COLUMNS } from "./table-columns.ts";

interface Props {
  readonly sort: Sort;
  readonly onChange: ChangeState;
}

export function TableHead({ sort, onChange }: Props) {
  return (
    <div role="rowgroup" class="grid-head">
      <div role="row" class="grid-row" aria-rowindex={1}>
        {COLUMNS.map(({ name, title, sort: key }, index) => {
          const isSorted = key === sort.key;
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
                title
              ) : (
                <button
                  type="button"
                  class="sort"
                  onClick={() => onChange({ sort: { key, isDescending: isSorted && !sort.isDescending } })}
                >
                  {title}
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
