import { existsSync, readdirSync, readFileSync } from "node:fs";
import type { Usage } from "../servers/ipc.ts";

/** Why the usage of a process that is not Node's cannot be told here. */
export function procMissing(): string | undefined {
  if (existsSync("/proc/self/schedstat")) return undefined;
  return "its usage is read from /proc/<pid>/schedstat and status, which only Linux has";
}

/**
 * What a process and its children have used. From schedstat, as it has nanoseconds where stat has ticks of 10 ms: user and
 * system time of the threads that live. Pages that several processes share count for each.
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
