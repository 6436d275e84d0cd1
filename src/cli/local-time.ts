const FORMAT = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });

/** Formats milliseconds since 1970 in the time zone of this machine: `2026-03-01 14:05:00`. */
export function localTime(ms: number): string {
  return FORMAT.format(ms);
}
