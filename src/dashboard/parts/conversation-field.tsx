import { useRef, useState } from "preact/hooks";
import { Choice } from "./choice.tsx";

interface Props {
  /** A conversation id. Null means no conversation, undefined means any. */
  readonly value: string | null | undefined;
  readonly onChange: (value: string | null | undefined) => void;
}

type Kind = "any" | "none" | "this";

/** Chooses any conversation, no conversation, or one by its id. */
export function ConversationField({ value, onChange }: Props) {
  // "This" without an id changes no filter yet, so only this control knows of the choice.
  const [isEntering, setIsEntering] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const kindOfValue: Kind = value === undefined ? "any" : value === null ? "none" : "this";
  const kind = isEntering && value !== null ? "this" : kindOfValue;
  const choose = (chosen: Kind) => {
    setIsEntering(chosen === "this");
    if (chosen === "none") onChange(null);
    else if (chosen === "any" || value === null) onChange(undefined);
    if (chosen === "this") requestAnimationFrame(() => field.current?.focus());
  };
  return (
    <div class="field-group">
      <Choice
        label="Conversation"
        options={[
          ["any", "Any"],
          ["none", "None"],
          ["this", "This:"],
        ]}
        value={kind}
        onChange={choose}
      />
      <input
        ref={field}
        class="text-field conversation-id"
        type="text"
        dir="auto"
        aria-label="Conversation id"
        placeholder="conversation id"
        maxLength={255}
        autocomplete="off"
        spellcheck={false}
        value={typeof value === "string" ? value : ""}
        onChange={(event) => {
          const id = event.currentTarget.value;
          setIsEntering(false);
          onChange(id === "" ? undefined : id);
        }}
      />
    </div>
  );
}
