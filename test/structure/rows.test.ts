import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Session, User } from "../../src/core/sessions/session.ts";
import type { AppPresence } from "../../src/server/gateway/app-presence.ts";

const SRC = fileURLToPath(new URL("../../src", import.meta.url));

// A row has one owner, its table. Everyone else has read-only types, and no way to the classes behind them.

it("only the folder of the table knows the classes of its rows", () => {
  const wrong = readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.startsWith("core/sessions/"))
    .filter((name) => /\/(?:session|user)-row\.ts"|\b(?:Session|User)Row\b/.test(read(name)));
  expect(wrong).toEqual([]);
});

it("nothing of a session can be written by those who read it", () => {
  // For the compiler: each of these lines would be an error.
  const write = (session: Session, user: User, { table }: AppPresence) => {
    // @ts-expect-error
    session.connection = undefined;
    // @ts-expect-error
    session.isTyping = false;
    // @ts-expect-error
    session.flagBits = 0;
    // @ts-expect-error
    if (session.ownership !== undefined) session.ownership.owner = undefined;
    // @ts-expect-error
    if (session.ownership !== undefined) session.ownership.epoch = 0;
    // @ts-expect-error
    if (session.ownership !== undefined) session.ownership.lostAt = 0;
    // @ts-expect-error
    user.sessions.push(session);
    // @ts-expect-error
    user.customBytes = 0;
    // @ts-expect-error
    table.update(session, session);
    // @ts-expect-error
    table.detach(session);
  };
  expect(write).toBeTypeOf("function");
});

function read(name: string): string {
  return readFileSync(join(SRC, name), "utf8");
}
