/**
 * Upper bounds of every duration histogram in milliseconds, inclusive. Roughly 1, 2.5, 5 a decade, so that a quantile read from the buckets is
 * wrong by less than a factor of two and a half from half a millisecond to a minute; slower ones fall into one more bucket without a bound.
 */
export const bucketBoundsMs: readonly number[] = [0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000]

/**
 * Cells of one histogram:
 *
 *   | sum in ms | up to 0.5 | up to 1 | … | up to 60000 | slower |
 *
 * Each observation is in one bucket only and the count is the sum of the buckets, so a page made in the middle of an update is still consistent.
 */
export const HISTOGRAM_CELLS = 1 + bucketBoundsMs.length + 1
