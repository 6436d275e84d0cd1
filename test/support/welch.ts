/** Welch's t of two samples, without the slowest hundredth of each, when the machine did other work. */
export function welch(one: readonly number[], other: readonly number[]): number {
  const [a, b] = [one, other].map((sample) => describe([...sample].sort((x, y) => x - y)));
  return (a!.mean - b!.mean) / Math.sqrt(a!.variance / a!.count + b!.variance / b!.count);
}

function describe(sorted: readonly number[]): { mean: number; variance: number; count: number } {
  const kept = sorted.slice(0, Math.ceil(0.99 * sorted.length));
  const mean = kept.reduce((sum, each) => sum + each, 0) / kept.length;
  const variance = kept.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (kept.length - 1);
  return { mean, variance, count: kept.length };
}
