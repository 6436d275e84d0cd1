import { takeToken } from "../model/credentials.ts";
import { readView, type View, writeView } from "../model/dashboard-state.ts";

/** Takes the token out of the page's address, where it came to us, before anything else sees it there. */
export function takeTokenFromAddress(): string | undefined {
  const { token, rest } = takeToken(location.hash);
  if (token !== undefined) history.replaceState(null, "", location.pathname + location.search + rest);
  return token;
}

export function readAddress(): View {
  return readView(location.hash);
}

/** Shows the view in the address: as a new step to come back from, or in the place of the one shown. */
export function writeAddress(view: View, isStep: boolean): void {
  const url = location.pathname + location.search + writeView(view);
  if (isStep) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}
