import { checkId } from "../../client/filter.ts";

/** A token and what it says of itself. Only the gateway can tell whether that is true. */
export interface Credentials {
  readonly token: string;
  readonly appId: string;
}

export type ReadCredentials =
  | { readonly ok: true; readonly credentials: Credentials }
  | { readonly ok: false; readonly problem: string };

/** Reads whose token it is; refuses what the gateway is sure to refuse. */
export function readCredentials(text: string): ReadCredentials {
  const token = text.trim();
  if (token === "") return refuse("Enter an app token.");
  const claims = readClaims(token);
  if (claims === undefined)
    return refuse("This is no token: it should have three parts with dots between them.");
  const { iss, tokenType } = claims;
  if (!isId(iss)) return refuse("The token does not say of which app it is (iss).");
  if (tokenType !== "app") {
    return refuse("This token is for one user. The dashboard shows everyone, and needs an app token.");
  }
  return { ok: true, credentials: { token, appId: iss } };
}

/** Takes the token out of an address's fragment, and leaves the rest of it as it was. */
export function takeToken(fragment: string): { readonly token: string | undefined; readonly rest: string } {
  const fields = fragment.replace(/^#/, "").split("&");
  const isToken = (field: string) => field.startsWith("token=");
  const rest = fields.filter((field) => !isToken(field)).join("&");
  // A token has no character that would need encoding.
  return {
    token: fields.find(isToken)?.slice("token=".length),
    rest: rest === "" ? "" : `#${rest}`,
  };
}

function isId(value: unknown): value is string {
  try {
    checkId(value, "iss");
    return true;
  } catch {
    return false;
  }
}

function readClaims(token: string): Record<string, unknown> | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    const base64 = parts[1]!.replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function refuse(problem: string): ReadCredentials {
  return { ok: false, problem };
}
