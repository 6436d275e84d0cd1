import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Usage } from "../servers/ipc.ts";

/** The reason why this machine cannot measure a process that is not Node; undefined if it can. */
export function procMissing(): string | undefined {
  if (existsSync("/proc/self/schedstat")) return undefined;
  return "its usage is read from /proc/<pid>/schedstat and status, which only Linux has";
}

/**
 * Resources used by a process and its children. CPU time comes from schedstat, because stat has a resolution
 * of only 10 ms. It covers the user and system time of living threads. Memory pages shared by processes count
 * for each of them.
 */
export function usageOf(pid: number): Usage {
  const pids = familyOf(pid);
  const threads = pids.flatMap((each) =>
    readdirSync(`/proc/${each}/task`).map((thread) => `/proc/${each}/task/${thread}/schedstat`),
  );
  return {
    cpuMicros: sum(threads.map((path) => Number(readFileSync(path, "utf8").split(" ")[0]))) / 1_000,
    rssBytes: sum(pids.map(residentKilobytes)) * 1_024,
  };
}

function familyOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return [pid, ...(children === "" ? [] : children.split(" ").flatMap((child) => familyOf(Number(child))))];
}

function residentKilobytes(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
