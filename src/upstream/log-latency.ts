// HOT
/** 64ths of a power of two, from 1/16 ms on: what is ten times as slow is as far away everywhere, and a sum of many fits into 32 bits. */
const PARTS = 64
const FINEST = 16
const MS_MAX = 600_000

/** A latency as a whole number whose mean is that of its logarithm: one very slow answer does not hide what is usual. */
export function logOfMs(ms: number): number {
  const bounded = ms > MS_MAX ? MS_MAX : ms
  return bounded * FINEST <= 1 ? 0 : Math.round(Math.log2(bounded * FINEST) * PARTS)
}

export function msOfLog(log: number): number {
  return 2 ** (log / PARTS) / FINEST
}

/** How many times as slow something is whose logarithm is greater by this. */
export function ratioOfLogs(difference: number): number {
  return 2 ** (difference / PARTS)
}
