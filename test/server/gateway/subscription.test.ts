import { expect, it } from "vitest";
import { NEW_SESSION, patchState } from "../../../src/core/sessions/session.ts";
import { Table } from "../../../src/core/sessions/table.ts";
import { CompiledFilter } from "../../../src/core/views/compiled-filter.ts";
import { MAX_DIFFS } from "../../../src/core/views/diff-log.ts";
import { View } from "../../../src/core/views/view.ts";
import { encodeSnapshotPage } from "../../../src/protocol/codec.ts";
import { FilterSchema } from "../../../src/protocol/filter.ts";
import { Frame } from "../../../src/server/gateway/frame.ts";
import { SendQueue } from "../../../src/server/gateway/send-queue.ts";
import { type MessageEncoder, Subscription } from "../../../src/server/gateway/subscription.ts";
import { ViewChannel } from "../../../src/server/gateway/view-channel.ts";
import { publish, TEST_OWNER, testPageTurns, testTelemetry } from "../../support/stubs.ts";

const ENCODER: MessageEncoder = {
  snapshot: (page, requestId) => new Frame(encodeSnapshotPage(requestId, page.body)),
  diff: (frame) => frame,
};

it("a reader so slow that the diffs after its snapshot are dropped gets another snapshot", async () => {
  const table = new Table();
  const state = patchState(NEW_SESSION, { custom: { note: "n".repeat(500) } });
  for (let i = 0; i < 300; i++) table.open(`s${i}`, `u${i}`, "widget", state, undefined);
  const view = new View("view", new CompiledFilter(FilterSchema.parse({})), table);
  view.hydrate(1_000);
  const telemetry = testTelemetry();
  const channel = new ViewChannel(view, telemetry);
  const sent: { type: string; version: number; more?: boolean; reason?: string }[] = [];
  let isSlow = true;
  const sink = {
    buffered: 0,
    progress: 0,
    send(frame: Frame) {
      sent.push(JSON.parse(frame.text));
      if (isSlow) sink.buffered = 100_000;
      return sink.buffered === 0;
    },
  };
  const sendQueue = new SendQueue(sink, 1_000_000, TEST_OWNER, testPageTurns());
  const subscription = new Subscription(channel, { sendQueue, encoder: ENCODER, owner: TEST_OWNER });
  channel.add(subscription);

  // The reader does not take the first page: no other is sent while so much waits.
  subscription.requestSnapshot(1);
  const session = table.get("s0")!;
  for (let n = 0; n <= MAX_DIFFS; n++) {
    view.markDirty(table.update(session, patchState(session, { custom: { n: String(n) } }))!, 0);
    publish(channel);
  }
  expect(sent).toHaveLength(1);
  isSlow = false;
  sink.buffered = 0;
  sendQueue.drained();
  // Pages go out a few in a turn.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));

  const pages = sent.filter(({ type }) => type === "snapshot");
  expect(sent).toEqual(pages);
  const asked = pages.filter(({ reason }) => reason === undefined);
  const again = pages.filter(({ reason }) => reason === "lagged");
  expect(asked.at(-1)).toMatchObject({ version: 1 });
  expect(asked.at(-1)).not.toHaveProperty("more");
  expect(again[0]).toMatchObject({ version: view.version });
});
