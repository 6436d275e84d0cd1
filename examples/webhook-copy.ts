// Keeps a copy of who is online in SQLite, right after each message. Node 22.18 or later runs it as it is:
//
//   WEBHOOK_SECRET=whsec_... DATABASE=presence.db PORT=8081 node webhook-copy.ts
//
// The app has the webhook  {"id": "copy", "url": "http://127.0.0.1:8081/", "secrets": ["whsec_..."]}.
// The table `present` has a row for each user. It survives restarts, messages that come twice or not at all,
// and a lost database: what does not fit is answered with {"resync": true}, and the gateway sends all of it.

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { DatabaseSync } from "node:sqlite";
import { Webhook } from "standardwebhooks";

interface Message {
  readonly type: string;
  readonly data: {
    readonly view: string;
    readonly version: number;
    readonly users: Record<string, object | null>;
    /** Of a diff: the version that it changes. */
    readonly from: number;
    /** Of a snapshot. */
    readonly page: number;
    readonly more: boolean;
  };
}

const MAX_BODY_BYTES = 1_048_576;
const webhook = new Webhook(process.env.WEBHOOK_SECRET ?? "");
const db = new DatabaseSync(process.env.DATABASE ?? "presence.db");
db.exec(`
  CREATE TABLE IF NOT EXISTS present (user TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS pages (user TEXT PRIMARY KEY, value TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS position (name TEXT PRIMARY KEY, at TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS seen (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);`);
const run = (sql: string, ...values: (string | number)[]) => db.prepare(sql).run(...values);
const at = (name: string) => db.prepare("SELECT at FROM position WHERE name = ?").get(name)?.at;
const move = (name: string, to: string) => run("REPLACE INTO position VALUES (?, ?)", name, to);

function put(table: "present" | "pages", users: Record<string, object | null>): void {
  for (const [user, value] of Object.entries(users)) {
    if (value === null) run(`DELETE FROM ${table} WHERE user = ?`, user);
    else run(`REPLACE INTO ${table} VALUES (?, ?)`, user, JSON.stringify(value));
  }
}

/** Applies a message to the copy. False: it does not fit. */
function take({ type, data: { view, version, users, from, page, more } }: Message): boolean {
  if (type === "presence.diff") {
    if (at("present") !== JSON.stringify([view, from])) return false;
    put("present", users);
    move("present", JSON.stringify([view, version]));
  } else if (type === "presence.snapshot") {
    // Pages are kept aside until the last one has come.
    if (page === 1) run("DELETE FROM pages");
    else if (at("pages") !== JSON.stringify([view, version, page - 1])) return false;
    put("pages", users);
    move("pages", JSON.stringify([view, version, page]));
    if (more) return true;
    run("DELETE FROM present");
    run("INSERT INTO present SELECT * FROM pages");
    move("present", JSON.stringify([view, version]));
  }
  return true;
}

/** All of a message or nothing of it, even if this process dies within it. */
function takeOnce(id: string, message: Message): boolean {
  db.exec("BEGIN IMMEDIATE");
  try {
    const isRepeated = db.prepare("SELECT 1 FROM seen WHERE id = ?").get(id) !== undefined;
    const fits = isRepeated || take(message);
    // The sender repeats the last message only, and a late one is not much older.
    if (fits && !isRepeated) {
      const { lastInsertRowid } = run("INSERT INTO seen (id) VALUES (?)", id);
      run("DELETE FROM seen WHERE n <= ?", Number(lastInsertRowid) - 100);
    }
    db.exec("COMMIT");
    return fits;
  } catch (error) {
    db.exec("ROLLBACK");
    throw error;
  }
}

async function answer(request: IncomingMessage): Promise<[status: number, body: object]> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of request) {
    bytes += part.length;
    if (bytes > MAX_BODY_BYTES) return [413, {}];
    parts.push(part);
  }
  let message: Message;
  try {
    message = webhook.verify(Buffer.concat(parts), request.headers as Record<string, string>) as Message;
  } catch {
    return [401, {}];
  }
  return [200, takeOnce(String(request.headers["webhook-id"]), message) ? {} : { resync: true }];
}

const server = createServer(async (request, response) => {
  // An error of the database: the gateway sends the message again.
  const [status, body] = await answer(request).catch(() => [500, {}] as const);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
});
server.listen(Number(process.env.PORT ?? 8081), "127.0.0.1", () => {
  console.log(`receiving webhooks on http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
});
