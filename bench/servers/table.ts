import { makeId } from "../../src/core/ids.ts";
import { NEW_SESSION, patchState } from "../../src/core/sessions/session.ts";
import { Table } from "../../src/core/sessions/table.ts";
import type { SessionPatch } from "../../src/protocol/wire.ts";
import { serveQuestions } from "./ipc.ts";

// A table and nothing else. The parent says which one to build, and asks for the heap before and after.

export interface TablePlan {
  readonly sessions: number;
  readonly sessionsPerUser: number;
  readonly usersPerConversation: number;
}

const tables: Table[] = [];

function build({ sessions, sessionsPerUser, usersPerConversation }: TablePlan): void {
  const table = new Table();
  const holder = { onSessionLost() {} };
  for (let i = 0; i < sessions; i++) {
    const user = Math.floor(i / sessionsPerUser);
    const conversation = Math.floor(user / usersPerConversation);
    // Strings as they come off the wire: each message brings its own copies.
    const userId: string = JSON.parse(`"user-${String(user).padStart(8, "0")}"`);
    const patch: SessionPatch = JSON.parse(
      `{"selectedConversationId":"conversation-${String(conversation).padStart(8, "0")}"}`,
    );
    // The first session of a user is the background one, where there are several.
    const kind = sessionsPerUser > 1 && i % sessionsPerUser === 0 ? "background" : "widget";
    table.open(makeId(), userId, kind, patchState(NEW_SESSION, patch), holder);
  }
  tables.push(table);
}

serveQuestions(0, (text) => build(JSON.parse(text)));
