import { useId, useRef, useState } from "preact/hooks";
import { addPair, type CustomFilter, pairsOf, readPair, removePair } from "../model/custom-filter.ts";
import { Chip } from "./chip.tsx";

interface Props {
  readonly value: CustomFilter;
  readonly onChange: (value: CustomFilter | undefined) => void;
}

/** Restricts the filter to values of custom fields, entered as `name=value`. */
export function CustomField({ value, onChange }: Props) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState("");
  const add = (event: Event) => {
    event.preventDefault();
    const pair = readPair(field.current!.value);
    const changed = pair && addPair(value, pair);
    setProblem(
      pair === undefined
        ? "Enter name=value."
        : changed === undefined
          ? "At most 4 names with 16 values each."
          : "",
    );
    if (changed === undefined) return;
    onChange(changed);
    field.current!.value = "";
  };
  const pairs = pairsOf(value);
  return (
    <form class="users-field custom-field" autocomplete="off" onSubmit={add}>
      <label for={id}>Custom fields</label>
      <div class="users-row">
        <input
          id={id}
          ref={field}
          class="text-field"
          type="text"
          dir="auto"
          placeholder="plan=gold, Enter"
          autocomplete="off"
          spellcheck={false}
          aria-invalid={problem !== ""}
          aria-describedby={`${id}-problem`}
        />
        <span id={`${id}-problem`} class="problem" role="alert">
          {problem}
        </span>
        {pairs.length > 0 && (
          <div class="chips">
            <ul aria-label="Custom fields in the filter">
              {pairs.map((pair) => {
                const text = pair.join("=");
                return <Chip key={text} text={text} onRemove={() => onChange(removePair(value, pair))} />;
              })}
            </ul>
          </div>
        )}
      </div>
    </form>
  );
}
