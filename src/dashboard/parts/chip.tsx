import { UserText } from "./user-text.tsx";

interface Props {
  readonly text: string;
  readonly onRemove: () => void;
}

/** One part of the filter in a list, with a button that removes it. */
export function Chip({ text, onRemove }: Props) {
  return (
    <li class="chip">
      <UserText text={text} />
      <button type="button" aria-label={`Remove ${text}`} onClick={onRemove}>
        ×
      </button>
    </li>
  );
}
