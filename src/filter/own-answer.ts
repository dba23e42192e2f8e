import type { Exchange } from "../flow/index.ts"

/**
 * What goes to the client is our own word: a refusal, a page, a redirection. What a cache has is not, although it stands in memory as ours does: it came from an origin, and a
 * filter that judges answers has to see it each time.
 */
export function isOwnAnswer(x: Exchange): boolean {
  return x.fault !== null || (x.up === null && !x.pump.responseDone && x.cached === null)
}
