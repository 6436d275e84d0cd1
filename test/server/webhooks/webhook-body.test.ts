import { describe, expect, it } from "vitest";
import { WebhookMessageSchema } from "../../../src/server/http/webhook-messages.ts";
import {
  encodeSnapshotPage,
  encodeWebhookCount,
  encodeWebhookDiff,
  MAX_BODY_BYTES,
} from "../../../src/server/webhooks/webhook-body.ts";

const ORIGIN = { appId: 'app "1"', webhookId: "hook é", maxBodyBytes: MAX_BODY_BYTES };
const TIME = "2026-11-27T12:00:00.000Z";
const POSITION = { view: "v1", from: 3, version: 7 };
const VALUE = { status: "online", backgroundSessions: [], widgets: [] };
const entryOf = (userId: string, text?: string) =>
  `${JSON.stringify(userId)}:${JSON.stringify(text === undefined ? VALUE : { ...VALUE, statusText: text })}`;

function read(body: string) {
  const message = JSON.parse(body);
  expect(WebhookMessageSchema.parse(message)).toEqual(message);
  return message;
}

describe("a snapshot", () => {
  it("is one page, also when it is empty", () => {
    const { body, next } = encodeSnapshotPage(ORIGIN, TIME, POSITION, [], 0, 1);
    expect(next).toBeUndefined();
    expect(read(body)).toEqual({
      type: "presence.snapshot",
      timestamp: TIME,
      data: {
        appId: 'app "1"',
        webhookId: "hook é",
        view: "v1",
        version: 7,
        users: {},
        page: 1,
        more: false,
      },
    });
  });

  it("has pages of at most 256 KiB of UTF-8, which together have every user once", () => {
    const members = Array.from({ length: 3_000 }, (_, i) => entryOf(`u${i}`, "é".repeat(i % 120)));
    const users: Record<string, unknown> = {};
    let from: number | undefined = 0;
    let pages = 0;
    while (from !== undefined) {
      const cut = encodeSnapshotPage(ORIGIN, TIME, POSITION, members, from, ++pages);
      expect(Buffer.byteLength(cut.body)).toBeLessThanOrEqual(256 * 1024);
      const { data } = read(cut.body);
      expect([data.page, data.more]).toEqual([pages, cut.next !== undefined]);
      expect(Object.keys(data.users).some((id) => id in users)).toBe(false);
      Object.assign(users, data.users);
      from = cut.next;
    }
    expect(pages).toBeGreaterThan(2);
    expect(Object.keys(users)).toHaveLength(3_000);
  });
});

describe("a diff", () => {
  it("has values, null for those who have left, and why they have", () => {
    const body = encodeWebhookDiff(ORIGIN, TIME, POSITION, [
      ["alice", entryOf("alice")],
      ["constructor", { cause: "node-lost" }],
      ['"', { cause: "closed" }],
    ])!;
    const { data } = read(body);
    expect(data).toMatchObject({ view: "v1", from: 3, version: 7 });
    expect(Object.entries(data.users)).toEqual([
      ["alice", VALUE],
      ["constructor", null],
      ['"', null],
    ]);
    expect(Object.entries(data.causes)).toEqual([
      ["constructor", "node-lost"],
      ['"', "closed"],
    ]);
  });

  it("has no causes if nobody has left", () => {
    expect(read(encodeWebhookDiff(ORIGIN, TIME, POSITION, [["a", entryOf("a")]])!).data.causes).toEqual({});
  });

  it("is none if it would be longer than 256 KiB", () => {
    const bodyOf = (count: number, left: boolean) =>
      encodeWebhookDiff(
        ORIGIN,
        TIME,
        POSITION,
        Array.from({ length: count }, (_, i) => {
          const userId = `user ${String(i).padStart(4, "0")} é`;
          return [userId, left ? { cause: "closed" } : entryOf(userId)] as const;
        }),
      );
    for (const left of [true, false]) {
      let fit = 0;
      for (let step = 4_096; step >= 1; step /= 2) if (bodyOf(fit + step, left) !== undefined) fit += step;
      const bytes = Buffer.byteLength(bodyOf(fit, left)!);
      expect(bytes).toBeLessThanOrEqual(256 * 1024);
      expect(bytes).toBeGreaterThan(256 * 1024 - 128);
    }
  });
});

it("a count has the number of users", () => {
  expect(read(encodeWebhookCount(ORIGIN, TIME, 12)).data).toEqual({
    appId: 'app "1"',
    webhookId: "hook é",
    users: 12,
  });
});
