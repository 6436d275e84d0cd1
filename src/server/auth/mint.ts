import { SignJWT } from "jose";

export type TokenClaims =
  | { readonly tokenType: "app" }
  | {
      readonly tokenType: "user";
      readonly sub: string;
      readonly read?:
        | "all"
        | {
            readonly userIds?: readonly string[];
            readonly conversationIds?: readonly string[];
            readonly counts?: boolean;
          };
    };

/** Signs a token for an app. `exp`: seconds since 1970; without it the token does not expire. */
export async function mintToken(
  appId: string,
  secret: string,
  claims: TokenClaims,
  exp?: number,
): Promise<string> {
  const jwt = new SignJWT({ ...claims }).setProtectedHeader({ alg: "HS256", typ: "JWT" }).setIssuer(appId);
  if (exp !== undefined) jwt.setExpirationTime(exp);
  return await jwt.sign(new TextEncoder().encode(secret));
}
