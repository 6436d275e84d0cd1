import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { nanoid } from "nanoid";
import { z } from "zod";
import type { DevCredentials } from "../cli/cli-dependencies.ts";
import type { AppConfig } from "./auth/app.ts";
import { mintToken } from "./auth/mint.ts";
import { readDevelopmentSecret, SECRET_FOLDER } from "./development-secret.ts";

export const DEMO_APP_ID = "demo";

/** The app of development mode. */
export type DemoApp = AppConfig & { readonly secrets: readonly [string] };

/**
 * The app of development mode. Its secret is kept in the working folder, so that it is the same after a
 * restart. Where that folder cannot be written to, `isKept` is false, and the secret lasts as long as the
 * process.
 */
export function createDemoApp(workingFolder: string): { readonly app: DemoApp; readonly isKept: boolean } {
  try {
    return { app: { id: DEMO_APP_ID, secrets: [readDevelopmentSecret(workingFolder)] }, isKept: true };
  } catch (error) {
    if (!NOT_WRITABLE.has((error as NodeJS.ErrnoException).code ?? "")) throw error;
    return { app: { id: DEMO_APP_ID, secrets: [nanoid(43)] }, isKept: false };
  }
}

const NOT_WRITABLE: ReadonlySet<string> = new Set(["EACCES", "ENOENT", "EROFS"]);

const DevCredentialsSchema: z.ZodType<DevCredentials> = z.object({
  url: z.url(),
  appId: z.string(),
  secret: z.string(),
});

/** The file from which commands in another terminal read the secret. Only this user can read it. */
function devCredentialsPath(port: number): string {
  const { uid, username } = userInfo();
  return join(tmpdir(), `presence-gateway-${uid === -1 ? username : uid}`, `${port}.json`);
}

/** Writes the file; returns a function that removes it. */
export function writeDevCredentials(port: number, credentials: DevCredentials): () => void {
  const path = devCredentialsPath(port);
  const folder = join(path, "..");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // Other users may write to the folder above, so a link in the place of this folder is not followed.
  const found = lstatSync(folder);
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new Error(`${folder} is not a folder of this user: remove it`);
  }
  chmodSync(folder, 0o700);
  writeFileSync(path, JSON.stringify(credentials), { mode: 0o600 });
  return () => rmSync(path, { force: true });
}

/** Reads the file of a gateway in development mode on this port; undefined if there is none. */
export function readDevCredentials(port: number): DevCredentials | undefined {
  try {
    return DevCredentialsSchema.parse(JSON.parse(readFileSync(devCredentialsPath(port), "utf8")));
  } catch {
    return undefined;
  }
}

export interface WelcomeOptions {
  /** The secret will be the same after a restart. */
  readonly isKept: boolean;
  /** The gateway runs from its sources. Otherwise it was installed, and npm finds its command. */
  readonly isCheckout: boolean;
}

/** The text that a first run prints: commands that work when pasted. */
export async function welcome(
  { url, appId, secret }: DevCredentials,
  { isKept, isCheckout }: WelcomeOptions,
): Promise<string> {
  const [demo, watch] = isCheckout
    ? ["npm run demo", "npm run watch"]
    : ["npx presence-gateway crowd", "npx presence-gateway watch"];
  const token = await mintToken(appId, secret, { tokenType: "app" });
  const webSocketUrl = `${url.replace("http", "ws")}/v1/${appId}/realtime`;
  const connect = JSON.stringify({ type: "connect", token });
  const subscribe = JSON.stringify({ type: "subscribe", id: 1, filter: {} });
  return `
presence-gateway runs in development mode: app "${appId}", this machine only.
${isKept ? `Its secret is kept in ${SECRET_FOLDER}/: the same after a restart.` : "Its secret ends with it: this folder cannot be written to."}
To serve your own apps set APPS, see the README.

  Fill it with a crowd of simulated users (in another terminal):
    ${demo}

  Watch them live, as a table:
    ${watch}

  Ask who is online:
    curl -s ${url}/v1/${appId}/presences -H 'authorization: Bearer ${secret}' -H 'content-type: application/json' -d '{}'

  See the bare messages (in this folder):
    node -e 'const s = new (require("ws"))("${webSocketUrl}"); s.on("message", (m) => console.log(String(m))); s.on("open", () => { s.send(\`${connect}\`); s.send(\`${subscribe}\`) })'

  Dashboard:
    ${url}/dashboard/#token=${token}
`;
}
