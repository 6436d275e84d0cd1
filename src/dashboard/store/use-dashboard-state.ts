import { useCallback, useEffect, useState } from "preact/hooks";
import type { View } from "../model/dashboard-state.ts";
import { readAddress, writeAddress } from "./address.ts";

/** Changes the view. `isStep: false` for what is changed letter by letter: going back skips it. */
export type ChangeView = (change: Partial<View>, isStep?: boolean) => void;

/** The view that the page's address says, followed back and forth. */
export function useView(): readonly [View, ChangeView] {
  const [view, setView] = useState(readAddress);
  useEffect(() => {
    const onMove = () => setView(readAddress());
    addEventListener("popstate", onMove);
    addEventListener("hashchange", onMove);
    return () => {
      removeEventListener("popstate", onMove);
      removeEventListener("hashchange", onMove);
    };
  }, []);
  const change: ChangeView = useCallback((part, isStep = true) => {
    setView((before) => {
      const after = { ...before, ...part };
      writeAddress(after, isStep);
      return after;
    });
  }, []);
  return [view, change];
}
