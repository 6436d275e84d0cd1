const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;
/** A hundred years. A longer duration is probably a typing error. */
const LONGEST = 100 * 365 * SECONDS.d;

/** The seconds of a duration such as `90s`, `15m`, `1h` or `7d`; undefined if the text is invalid. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhdw])$/.exec(text);
  if (match === null) return undefined;
  const seconds = Number(match[1]) * SECONDS[match[2] as keyof typeof SECONDS];
  return seconds >= 1 && seconds <= LONGEST ? seconds : undefined;
}
