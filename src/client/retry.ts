const LONGEST_MS = 30_000;
const FIRST_MS = 1_000;

/**
 * How long to wait before a try, the first being number 0, when the last socket was lost so long ago. Full jitter: those
 * who lost their sockets together do not come back together. The first few lie well inside the resume window, so that
 * nobody sees that the socket was lost. Where very many come back, most are refused at first: up to the window's end no
 * wait is longer than half of what is left of it, which spreads the tries over all of that and leaves nobody to be late.
 */
export function retryDelay(
  attempt: number,
  resumeWindowMs: number,
  lostForMs: number,
  random: number,
): number {
  const first = Math.max(50, Math.min(FIRST_MS, resumeWindowMs / 5));
  const longest = Math.min(LONGEST_MS, first * 2 ** Math.min(attempt, 16));
  const leftMs = resumeWindowMs - lostForMs;
  return random * (leftMs > 0 ? Math.min(longest, Math.max(first, leftMs / 2)) : longest);
}
