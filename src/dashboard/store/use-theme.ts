import { useEffect, useState } from "preact/hooks";
import { useMedia } from "./use-media.ts";

export type Theme = "light" | "dark";

const KEY = "presence-gateway-theme";

/** The theme that was chosen on this machine, else the system's; and what chooses the other. */
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

/** A browser may refuse pages its storage; the theme is not worth a failure. */
function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
