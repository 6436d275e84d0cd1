import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { describeInBrowser } from "../support/browser.ts";
import { DashboardMemory } from "../support/dashboard-memory.ts";
import { LONG, print } from "./crowded.ts";

// The page in Chromium, in real time. test/browser/dashboard-memory.test.ts is the short form.

const USERS = 1_000;
const CHANGE_EVERY_MS = 50;
const SAMPLE_EVERY_MS = 10_000;
/** The page and its charts begin, and V8 compiles. */
const WARM_UP_MS = 60_000;
const MINUTES = Number(process.env.MINUTES ?? (LONG ? 60 : 5));
const MAX_BYTES_PER_MINUTE = 1e6;

describeInBrowser("the dashboard", (browser) => {
  it(
    `keeps its heap, nodes and listeners beside ${USERS} lively users for ${MINUTES} minutes`,
    async ({ onTestFinished }) => {
      // On a busy machine the page gives up waiting for the figures of the node now and then, and asks again.
      browser.allow(/^failed: GET \S+\/(?:node|stats): net::ERR_ABORTED$/);
      const memory = await DashboardMemory.open(browser, USERS);
      onTestFinished(() => memory.stop());
      let changes = 0;
      const liveFor = async (ms: number) => {
        const end = performance.now() + ms;
        while (performance.now() < end) {
          changes += memory.change();
          await delay(CHANGE_EVERY_MS);
        }
      };
      await liveFor(WARM_UP_MS);
      const objects = await memory.settled();

      const startedAt = performance.now();
      const minutes = () => (performance.now() - startedAt) / 60_000;
      changes = 0;
      const samples: [minute: number, bytes: number][] = [];
      // Nothing settles the page in between: that would also free lists that hold each other.
      while (minutes() < MINUTES) {
        await liveFor(SAMPLE_EVERY_MS);
        samples.push([minutes(), await memory.heapBytes()]);
      }
      const slope = slopeOf(samples);
      const took = minutes();
      const mb = (bytes: number) => (bytes / 1e6).toFixed(2);
      print(
        `dashboard: ${took.toFixed(1)} minutes, ${USERS} users, ${(changes / took / 60).toFixed(0)} changes a second; heap ` +
          `${mb(samples[0]![1])} MB, then ${mb(samples.at(-1)![1])} MB, at most ${mb(Math.max(...samples.map(([, bytes]) => bytes)))} MB, ` +
          `${mb(slope)} MB a minute; ${objects.nodes} nodes, ${objects.listeners} listeners before`,
      );
      expect(slope).toBeLessThanOrEqual(MAX_BYTES_PER_MINUTE);
      await memory.expectSettled(objects);
    },
    (MINUTES + 10) * 60_000,
  );
});

/** By least squares. */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = mean(points.map(([x]) => x));
  const y = mean(points.map(([, y]) => y));
  const above = points.reduce((sum, point) => sum + (point[0] - x) * (point[1] - y), 0);
  return above / points.reduce((sum, point) => sum + (point[0] - x) ** 2, 0);
}
