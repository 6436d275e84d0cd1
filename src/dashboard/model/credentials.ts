import { checkId } from "../../client/filter.ts";

/** A token and the app that it claims. Only the gateway can verify the claim. */
export interface Credentials {
  readonly token: string;
  readonly appId: string;
  /** When the token ends, in milliseconds since 1970. Undefined: never. */
  readonly expiresAt?: number;
}

export type ReadCredentials =
  | { readonly ok: true; readonly credentials: Credentials }
  | { readonly ok: false; readonly problem: string };

/** Reads the app id from an app token. Refuses a token that the gateway would certainly refuse. */
export function readCredentials(text: string): ReadCredentials {
  const token = text.trim();
  if (token === "") return refuse("Enter an app token.");
  const claims = readClaims(token);
  if (claims === undefined) return refuse("This is not a token. A token has three parts separated by dots.");
  const { iss, tokenType, exp } = claims;
  if (!isId(iss)) return refuse("The token does not name its app (iss).");
  if (tokenType !== "app") {
    return refuse("This token is for one user. The dashboard shows all users, so it needs an app token.");
  }
  const end = typeof exp === "number" ? { expiresAt: exp * 1_000 } : {};
  return { ok: true, credentials: { token, appId: iss, ...end } };
}

/** Whether the token ends within this time. The gateway's clock may be another. */
export function endsWithin({ expiresAt }: Credentials, ms: number, now: number): boolean {
  return expiresAt !== undefined && expiresAt - now <= ms;
}

/** Removes the token from the fragment of an address. The rest of the fragment stays as it is. */
export function takeToken(fragment: string): { readonly token: string | undefined; readonly rest: string } {
  const fields = fragment.replace(/^#/, "").split("&");
  const isToken = (field: string) => field.startsWith("token=");
  const rest = fields.filter((field) => !isToken(field)).join("&");
  // A token contains no character that needs URL encoding.
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
