import { useId, useRef } from "preact/hooks";
import { plural } from "../model/format.ts";
import { Chip } from "./chip.tsx";

interface Props {
  readonly userIds: readonly string[];
  readonly onChange: (userIds: readonly string[]) => void;
}

/** More chips would fill the screen. */
const MOST_SHOWN = 12;

/** Restricts the filter to some users. Ids are entered one by one, or pasted as lines. */
export function UsersField({ userIds, onChange }: Props) {
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const add = (ids: readonly string[]) => {
    const added = ids.filter((userId) => userId !== "");
    if (added.length > 0) onChange([...new Set([...userIds, ...added])]);
    if (field.current !== null) field.current.value = "";
  };
  const paste = (event: ClipboardEvent) => {
    const lines = (event.clipboardData?.getData("text/plain") ?? "").split(/\r?\n/);
    if (lines.length < 2) return;
    event.preventDefault();
    add(lines.map((line) => line.trim()));
  };
  return (
    <form
      class="users-field"
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        add([field.current?.value ?? ""]);
      }}
    >
      <label for={id}>Only these users</label>
      <div class="users-row">
        <input
          id={id}
          ref={field}
          class="text-field"
          type="text"
          dir="auto"
          placeholder="user id, Enter"
          maxLength={255}
          autocomplete="off"
          spellcheck={false}
          onPaste={paste}
        />
        <button class="button" type="submit">
          Add
        </button>
        <div class="chips">
          {userIds.length > 1 && (
            <button class="button" type="button" onClick={() => onChange([])}>
              All users
            </button>
          )}
          {userIds.length > 0 && (
            <ul aria-label="Users in the filter">
              {userIds.slice(0, MOST_SHOWN).map((userId) => (
                <Chip
                  key={userId}
                  text={userId}
                  onRemove={() => onChange(userIds.filter((other) => other !== userId))}
                />
              ))}
              {userIds.length > MOST_SHOWN && (
                <li class="chip">and {plural(userIds.length - MOST_SHOWN, "more", "more")}</li>
              )}
            </ul>
          )}
        </div>
      </div>
    </form>
  );
}
