import { useEffect, useState } from "preact/hooks";

/** A phone. The style sheet has the same width. */
export const NARROW = "(max-width: 720px)";

/** Whether a media query matches. Renders the component again when that changes. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const update = () => setHolds(list.matches);
    update();
    list.addEventListener("change", update);
    return () => list.removeEventListener("change", update);
  }, [query]);
  return holds;
}
