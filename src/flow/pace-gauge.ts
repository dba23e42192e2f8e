// HOT

/** Counts octets against a rate, for one exchange or for many that share it. */
export interface PaceGauge {
  /** Octets that should go at a time, so that the rate is kept within a tick of the timer wheel. */
  readonly pieceBytes: number
  /** So many octets went; answers after how many milliseconds the next may, 0 = at once. */
  went(octets: number): number
}

/** Tells all gauges and answers the longest of their waits. */
export function longest(gauges: readonly PaceGauge[], octets: number): number {
  let wait = 0
  for (let i = 0; i < gauges.length; i++) {
    const one = gauges[i]!.went(octets)
    if (one > wait) wait = one
  }
  return wait
}
