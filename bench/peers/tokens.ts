import { jwtVerify } from "jose";
import { APP, SECRET } from "../servers/app.ts";

const KEY = new TextEncoder().encode(SECRET);

/** The user of a token, undefined for an app's; throws if it is not a good one. As one would in a server of one's own. */
export async function userOf(token: string): Promise<string | undefined> {
  const { payload } = await jwtVerify(token, KEY, { algorithms: ["HS256"], issuer: APP.id });
  return payload.sub;
}
