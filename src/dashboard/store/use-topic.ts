import { useEffect, useReducer } from "preact/hooks";
import type { Topic } from "./topic.ts";

/** Renders the component again whenever the topic notifies. */
export function useTopic(topic: Topic): void {
  const [, render] = useReducer((count: number) => count + 1, 0);
  useEffect(() => topic.listen(() => render(undefined)), [topic]);
}
