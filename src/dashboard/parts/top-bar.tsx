import type { PresenceStore } from "../store/presence-store.ts";
import { useTheme } from "../store/use-theme.ts";
import { StatusPill } from "./status-pill.tsx";
import { UserText } from "./user-text.tsx";

interface Props {
  readonly appId: string;
  readonly store: PresenceStore;
  readonly onSignOut: () => void;
}

export function TopBar({ appId, store, onSignOut }: Props) {
  const [theme, toggleTheme] = useTheme();
  return (
    <header class="top-bar">
      <h1>presence-gateway</h1>
      <p class="app-id">
        <span class="muted">app</span> <UserText text={appId} />
      </p>
      <StatusPill store={store} />
      <div class="top-actions">
        <button class="button" type="button" onClick={toggleTheme}>
          {theme === "dark" ? "Light mode" : "Dark mode"}
        </button>
        <button class="button" type="button" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}
