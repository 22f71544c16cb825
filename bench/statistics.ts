/** The few figures that a handful of runs allows. */

/** What is known of one quantity after some runs. `noise` is half the interquartile range over the median. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  noise: number;
}

function quantile(sorted: readonly number[], part: number): number {
  const at = part * (sorted.length - 1);
  const low = Math.floor(at);
  const a = sorted[low]!;
  return a + (sorted[Math.min(low + 1, sorted.length - 1)]! - a) * (at - low);
}

/** Sums up at least one value. */
export function summarize(values: readonly number[]): Summary {
  const sorted = [...values].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return {
    median,
    min: sorted[0]!,
    max: sorted[sorted.length - 1]!,
    noise: median === 0 ? 0 : (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median,
  };
}
