import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { NARROW, useMedia } from "../store/use-media.ts";

interface Props {
  readonly title: string;
  readonly children: ComponentChildren;
}

/** On a phone, a button that shows and hides a part of the page, so that the first user is on the screen. */
export function Fold({ title, children }: Props) {
  const isNarrow = useMedia(NARROW);
  const [isOpen, setIsOpen] = useState(false);
  if (!isNarrow) return <>{children}</>;
  return (
    <div class={isOpen ? "fold open" : "fold"}>
      <button
        class="button"
        type="button"
        aria-expanded={isOpen}
        onClick={() => setIsOpen((before) => !before)}
      >
        {title}
        <span aria-hidden="true">{isOpen ? "▴" : "▾"}</span>
      </button>
      {isOpen && children}
    </div>
  );
}
