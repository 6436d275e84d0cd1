import { useEffect, useState } from "preact/hooks";
import { useMedia } from "./use-media.ts";

export type Theme = "light" | "dark";

const KEY = "presence-gateway-theme";

/** The theme stored in this browser, or else the system's theme, and a function that toggles it. */
export function useTheme(): readonly [theme: Theme, toggle: () => void] {
  const isSystemDark = useMedia("(prefers-color-scheme: dark)");
  const [chosen, setChosen] = useState(readChosen);
  const theme = chosen ?? (isSystemDark ? "dark" : "light");
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
  const toggle = () => {
    const other = theme === "dark" ? "light" : "dark";
    attempt(() => localStorage.setItem(KEY, other));
    setChosen(other);
  };
  return [theme, toggle];
}

function readChosen(): Theme | undefined {
  const kept = attempt(() => localStorage.getItem(KEY));
  return kept === "light" || kept === "dark" ? kept : undefined;
}

/** A browser may deny access to its storage. The page then works without a stored theme. */
function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
