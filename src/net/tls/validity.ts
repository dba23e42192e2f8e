import type { CertificatePair } from "./certificate-pair.ts"

const DAY_MS = 86_400_000
const SOON_MS = 7 * DAY_MS

/** What is wrong with a certificate's dates at `nowMs` (milliseconds since 1970 UTC), or will be within `soonMs`; null = nothing. */
export function validityProblem(pair: CertificatePair, nowMs: number, soonMs: number = SOON_MS): string | null {
  if (nowMs > pair.validTo) return `it expired on ${dayOf(pair.validTo)}`
  if (nowMs < pair.validFrom) return `it is not valid before ${dayOf(pair.validFrom)}`
  if (pair.validTo - nowMs < soonMs) return `it expires on ${dayOf(pair.validTo)}`
  return null
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
