import { chmodSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { nanoid } from "nanoid";
import { z } from "zod";
import type { DevCredentials } from "../cli/cli-dependencies.ts";
import type { AppConfig } from "./auth/app.ts";
import { mintToken } from "./auth/mint.ts";

/** The app of development mode, with a secret that lasts as long as the process. */
export function createDemoApp(): AppConfig & { secrets: [string] } {
  return { id: "demo", secrets: [nanoid(43)] };
}

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

/** The text that a first run prints: commands that work when pasted. */
export async function welcome({ url, appId, secret }: DevCredentials): Promise<string> {
  const token = await mintToken(appId, secret, { tokenType: "app" });
  const webSocketUrl = `${url.replace("http", "ws")}/v1/${appId}/realtime`;
  const connect = JSON.stringify({ type: "connect", token });
  const subscribe = JSON.stringify({ type: "subscribe", id: 1, filter: {} });
  return `
presence-gateway runs in development mode: app "${appId}", this machine only, a fresh secret at each start.
To serve your own apps set APPS, see the README.

  Fill it with a crowd of simulated users (in another terminal):
    npm run demo

  Watch them live, as a table:
    npx presence-gateway watch

  Ask who is online:
    curl -s ${url}/v1/${appId}/presences -H 'authorization: Bearer ${secret}' -H 'content-type: application/json' -d '{}'

  See the bare messages (in this folder):
    node -e 'const s = new (require("ws"))("${webSocketUrl}"); s.on("message", (m) => console.log(String(m))); s.on("open", () => { s.send(\`${connect}\`); s.send(\`${subscribe}\`) })'

  Dashboard:
    ${url}/dashboard/#token=${token}
`;
}
