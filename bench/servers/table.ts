import { makeId } from "../../src/core/ids.ts";
import { NEW_SESSION, patchState } from "../../src/core/sessions/session.ts";
import { Table } from "../../src/core/sessions/table.ts";
import type { SessionPatch } from "../../src/protocol/wire.ts";
import { serveRequests } from "./ipc.ts";

// Only a session table. The parent sends a plan for the table and requests the heap size before and after.

export interface TablePlan {
  readonly sessions: number;
  readonly sessionsPerUser: number;
  readonly usersPerConversation: number;
}

const tables: Table[] = [];

function build({ sessions, sessionsPerUser, usersPerConversation }: TablePlan): void {
  const table = new Table();
  const holder = { onSessionTaken() {} };
  for (let i = 0; i < sessions; i++) {
    const user = Math.floor(i / sessionsPerUser);
    const conversation = Math.floor(user / usersPerConversation);
    // New strings for each session, because each message from the wire has its own copies.
    const userId: string = JSON.parse(`"user-${String(user).padStart(8, "0")}"`);
    const patch: SessionPatch = JSON.parse(
      `{"selectedConversationId":"conversation-${String(conversation).padStart(8, "0")}"}`,
    );
    // If a user has several sessions, the first one is a background session.
    const kind = sessionsPerUser > 1 && i % sessionsPerUser === 0 ? "background" : "widget";
    table.open(makeId(), userId, kind, patchState(NEW_SESSION, patch), holder);
  }
  tables.push(table);
}

serveRequests(0, (text) => build(JSON.parse(text)));
