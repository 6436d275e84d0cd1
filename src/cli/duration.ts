const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
/** A hundred years: more is a slip of the keyboard. */
const LONGEST = 100 * 365 * SECONDS.d;

/** Seconds of a duration such as `90s`, `15m`, `1h` or `7d`; undefined if it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  if (match === null) return undefined;
  const seconds = Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
  return seconds >= 1 && seconds <= LONGEST ? seconds : undefined;
}
