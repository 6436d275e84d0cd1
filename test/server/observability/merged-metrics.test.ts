import { expect, it } from "vitest";
import { MergedMetrics, type MetricJson } from "../../../src/server/observability/merged-metrics.ts";
import { MetricSet } from "../../../src/server/observability/metric-set.ts";
import { TimeHistogram } from "../../../src/server/observability/time-histogram.ts";

interface Values {
  sockets: number;
  users: number;
  diffs: number;
  query: number;
  behind: number;
  reloads: number;
}

/** The metrics of a process. */
async function metricsOf({
  sockets,
  users,
  diffs,
  query,
  behind,
  reloads,
}: Values): Promise<readonly MetricJson[]> {
  const metrics = new MetricSet();
  metrics.gauge("sockets", "Open WebSockets.", () => sockets);
  metrics.gauge("users", "Users.", () => users);
  metrics.counter({ name: "diffs", help: "Diffs." }, () => diffs);
  metrics.counter({ name: "app_reloads", help: "Reloads." }, () => reloads);
  metrics.gaugeOfEach("webhook_behind_seconds", "Behind.", ["webhook"], () => [
    { labels: { webhook: "w" }, value: behind },
  ]);
  new TimeHistogram("presence_query_seconds", "Seconds.", metrics.registry).observe(query);
  // As they come from another process.
  return JSON.parse(JSON.stringify(await metrics.readJson()));
}

const ONE = { sockets: 2, users: 5, diffs: 10, query: 0.001, behind: 1, reloads: 2 };
const TWO = { sockets: 3, users: 4, diffs: 20, query: 0.1, behind: 3, reloads: 3 };

function readValue(text: string, name: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

it("are added up where each process counts its own, and not where all know the same", async () => {
  const merged = new MergedMetrics();
  merged.update(1, await metricsOf(ONE));
  merged.update(2, await metricsOf(TWO));
  const { text, contentType } = await merged.render(await new MetricSet().readJson());
  expect(contentType).toMatch(/^text\/plain/);
  const values = [
    "presence_sockets",
    "presence_users",
    "presence_diffs_total",
    "presence_query_seconds_count",
  ];
  expect(values.map((name) => readValue(text, name))).toEqual([5, 5, 30, 2]);
  expect(readValue(text, 'presence_query_seconds_bucket{le="0.001"}')).toBe(1);
  expect(readValue(text, 'presence_query_seconds_bucket{le="+Inf"}')).toBe(2);
  expect(readValue(text, 'presence_webhook_behind_seconds{webhook="w"}')).toBe(3);
  // Of the first process.
  expect(readValue(text, "presence_process_start_time_seconds")).toBeGreaterThan(1e9);
});

it("no count falls when a worker ends or does not answer, and what is there now does", async () => {
  const merged = new MergedMetrics();
  merged.update(1, await metricsOf(ONE));
  merged.update(2, await metricsOf(TWO));
  const read = async () => {
    const { text } = await merged.render([]);
    return ["presence_sockets", "presence_diffs_total", "presence_query_seconds_count"].map((name) =>
      readValue(text, name),
    );
  };
  expect(await read()).toEqual([5, 30, 2]);
  merged.update(1, await metricsOf({ ...ONE, diffs: 11 }));
  expect(await read()).toEqual([5, 31, 2]);
  merged.left(2);
  merged.left(2);
  expect(await read()).toEqual([2, 31, 2]);
  merged.update(2, await metricsOf({ ...TWO, diffs: 1 }));
  expect(await read()).toEqual([5, 32, 3]);
  merged.left(1);
  merged.left(2);
  expect(await read()).toEqual([undefined, 32, 3]);
});

it("a count of which the highest counts does not fall either, and goes on from there", async () => {
  const merged = new MergedMetrics();
  merged.update(1, await metricsOf(ONE));
  merged.update(2, await metricsOf(TWO));
  const read = async () => {
    const { text } = await merged.render([]);
    return ["presence_app_reloads_total", "presence_users"].map((name) => readValue(text, name));
  };
  expect(await read()).toEqual([3, 5]);
  merged.left(2);
  expect(await read()).toEqual([3, 5]);
  merged.left(1);
  expect(await read()).toEqual([3, undefined]);
  merged.update(1, await metricsOf({ ...ONE, reloads: 0 }));
  merged.update(2, await metricsOf({ ...TWO, reloads: 0 }));
  expect(await read()).toEqual([3, 5]);
  merged.update(1, await metricsOf({ ...ONE, reloads: 1 }));
  merged.update(2, await metricsOf({ ...TWO, reloads: 1 }));
  expect(await read()).toEqual([4, 5]);
  merged.left(2);
  merged.left(2);
  expect(await read()).toEqual([4, 5]);
});
