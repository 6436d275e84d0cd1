import { useCallback, useEffect, useState } from "preact/hooks";
import type { DashboardState } from "../model/dashboard-state.ts";
import { readAddress, writeAddress } from "./address.ts";

/**
 * Changes the state. With `isStep: false`, for text typed letter by letter, the change adds no history entry.
 */
export type ChangeState = (change: Partial<DashboardState>, isStep?: boolean) => void;

/** The state held in the page's address. It follows the browser's back and forward buttons. */
export function useDashboardState(): readonly [DashboardState, ChangeState] {
  const [state, setState] = useState(readAddress);
  useEffect(() => {
    const onMove = () => setState(readAddress());
    addEventListener("popstate", onMove);
    addEventListener("hashchange", onMove);
    return () => {
      removeEventListener("popstate", onMove);
      removeEventListener("hashchange", onMove);
    };
  }, []);
  const change: ChangeState = useCallback((part, isStep = true) => {
    setState((before) => {
      const after = { ...before, ...part };
      writeAddress(after, isStep);
      return after;
    });
  }, []);
  return [state, change];
}
