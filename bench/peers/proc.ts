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
  return {
    cpuMicros: sum(pids.map(cpuMicrosOf)),
    rssBytes: sum(pids.map(residentKilobytes)) * 1_024,
  };
}

/** Like `usageOf`, for a gateway whose only children are its workers, the first one first. */
export function usageWithWorkers(pid: number): Usage {
  return { ...usageOf(pid), workersCpuMicros: childrenOf(pid).map(cpuMicrosOf) };
}

function familyOf(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(familyOf)];
}

/** The children of a process, the oldest first. */
function childrenOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return children === "" ? [] : children.split(" ").map(Number);
}

function cpuMicrosOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`).map((thread) => `/proc/${pid}/task/${thread}/schedstat`);
  return sum(threads.map((path) => Number(readFileSync(path, "utf8").split(" ")[0]))) / 1_000;
}

function residentKilobytes(pid: number): number {
  return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
