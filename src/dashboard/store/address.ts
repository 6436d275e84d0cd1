import { takeToken } from "../model/credentials.ts";
import { type DashboardState, formatState, parseState } from "../model/dashboard-state.ts";

/**
 * Base address of the gateway, without a slash at the end. The page is in its folder `dashboard`, also if a
 * proxy serves the gateway under a path.
 */
export function gatewayAddress(): string {
  return new URL("..", location.href).href.replace(/\/$/, "");
}

/** Removes the token from the page's address, so that no other code and no history entry sees it. */
export function takeTokenFromAddress(): string | undefined {
  const { token, rest } = takeToken(location.hash);
  if (token !== undefined) history.replaceState(null, "", location.pathname + location.search + rest);
  return token;
}

export function readAddress(): DashboardState {
  return parseState(location.hash);
}

/** Writes the state into the address: as a new history entry, or in place of the current one. */
export function writeAddress(state: DashboardState, isStep: boolean): void {
  const url = location.pathname + location.search + formatState(state);
  if (isStep) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}
