import { type ArmCounts, LATENCY_BUCKETS, type SplitZone } from "../../config/index.ts"

/** Counts of an arm as plain numbers that can be added up. */
export interface ArmSum {
  readonly requests: number
  readonly failures: number
  readonly forced: number
  readonly latency: Float64Array
}

export function emptySum(): ArmSum {
  return { requests: 0, failures: 0, forced: 0, latency: new Float64Array(LATENCY_BUCKETS) }
}

export function addSums(a: ArmSum, b: ArmSum): ArmSum {
  return {
    requests: a.requests + b.requests,
    failures: a.failures + b.failures,
    forced: a.forced + b.forced,
    latency: a.latency.map((n, i) => n + b.latency[i]!),
  }
}

/** Reads what the workers count of one arm, in pieces: each has what came since the last. */
export class ArmTally {
  /** Everything since this object was made. */
  total: ArmSum = emptySum()
  private readonly zone: SplitZone
  private readonly arm: number
  private last: ArmCounts

  constructor(zone: SplitZone, arm: number) {
    this.zone = zone
    this.arm = arm
    this.last = zone.read(arm)
  }

  next(): ArmSum {
    const { last } = this
    const now = this.zone.read(this.arm)
    this.last = now
    const latency = new Float64Array(LATENCY_BUCKETS)
    for (let i = 0; i < LATENCY_BUCKETS; i++) latency[i] = risen(now.latency[i]!, last.latency[i]!)
    const sum = {
      requests: risen(now.requests, last.requests),
      failures: risen(now.failures, last.failures),
      forced: risen(now.forced, last.forced),
      latency,
    }
    this.total = addSums(this.total, sum)
    return sum
  }
}

/** Counts wrap at 2^32. */
function risen(now: number, before: number): number {
  return (now - before) >>> 0
}
