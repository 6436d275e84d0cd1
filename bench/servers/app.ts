import { mintToken, type TokenClaims } from "../../src/server/auth/mint.ts";

/** The app of all benchmarks. A fixed secret is safe: the servers listen only on loopback, for minutes. */
export const APP = { id: "bench", secrets: ["a secret of the benchmark, and of nothing else"] } as const;
export const [SECRET] = APP.secrets;

/** The id of one of several apps. All of them have the same secret. */
export function appIdOf(index: number): string {
  return index === 0 ? APP.id : `${APP.id}-${index}`;
}

export function appToken(): Promise<string> {
  return mintToken(APP.id, SECRET, { tokenType: "app" });
}

export function userToken(userId: string): Promise<string> {
  return mintToken(APP.id, SECRET, { tokenType: "user", sub: userId } satisfies TokenClaims);
}
