import type { Since } from "./session-times.ts";

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const NUMBER = new Intl.NumberFormat("en-US");

const DAY_AND_CLOCK = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });

/** Formats milliseconds since 1970 with day and time: `1 Mar 2026, 14:05`. */
export function dayAndTime(ms: number): string {
  return DAY_AND_CLOCK.format(ms);
}

/** Formats milliseconds since 1970 as hh:mm:ss. */
export function clockTime(ms: number): string {
  return CLOCK.format(ms);
}

/** Formats a time as hh:mm:ss. If it is only known that it was earlier, says so. */
export function sinceTime({ at, isExact }: Since): string {
  return isExact ? clockTime(at) : `before ${clockTime(at)}`;
}

/** Formats how long ago a time was, in one unit: `12 min`. If it was earlier, says so. */
export function sinceDuration({ at, isExact }: Since, now: number): string {
  const [count, unit] = duration(Math.max(0, now - at) / 1000).split(" ");
  return isExact ? `${count} ${unit}` : `over ${count} ${unit}`;
}

/** Formats the length of a chart: `the last minute`, `the last 15 minutes`. */
export function lastMinutes(seconds: number): string {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  return minutes === 1 ? "the last minute" : `the last ${minutes} minutes`;
}

export function wholeNumber(value: number): string {
  return NUMBER.format(value);
}

/** One decimal place below 10, a whole number from there. */
export function fewDigits(value: number): string {
  return value < 10 ? value.toFixed(1) : NUMBER.format(Math.round(value));
}

export function megabytes(bytes: number): string {
  return `${NUMBER.format(Math.round(bytes / 1_000_000))} MB`;
}

/** Formats a duration with its two largest units: `3 d 4 h`, `12 min 5 s`. */
export function duration(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [Math.floor(seconds) % 60, "s"],
  ] as const;
  const start = parts.findIndex(([value]) => value > 0);
  if (start === -1) return "0 s";
  return parts
    .slice(start, start + 2)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(" ");
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${wholeNumber(count)} ${count === 1 ? one : many}`;
}
