import { mintToken, type TokenClaims } from "../../src/server/auth/mint.ts";

/** The app of every benchmark. Its servers listen on the loopback interface only, and for minutes. */
export const APP = { id: "bench", secrets: ["a secret of the benchmark, and of nothing else"] } as const;
export const [SECRET] = APP.secrets;

/** Where there are several apps, they have the same secret. */
export function appIdOf(index: number): string {
  return index === 0 ? APP.id : `${APP.id}-${index}`;
}

export function appToken(): Promise<string> {
  return mintToken(APP.id, SECRET, { tokenType: "app" });
}

export function userToken(userId: string): Promise<string> {
  return mintToken(APP.id, SECRET, { tokenType: "user", sub: userId } satisfies TokenClaims);
}
