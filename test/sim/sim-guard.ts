import { type FineWheel, Guard, type GuardOptions, LoopDelay, type PeerStates } from "../../src/upstream/index.ts"
import type { Time } from "../../src/http/index.ts"
import type { World } from "./world.ts"

/** What a cluster of a story may be guarded with; what is not said is absent. */
export type GuardStory = Partial<GuardOptions>

const NOTHING: GuardOptions = { breaker: null, peer: null, queue: null, adaptive: null, hedge: null, shed: null, panicBelow: 0, outlier: null }
export const NO_LIMITS = { requestsMax: 0, pendingMax: 0, retriesMax: 0, counts: "5xx", failures: null } as const
export const HEDGE = { afterMs: 50, quantile: 0, afterMinMs: 1, shareMax: 1 }

export function simGuard(options: GuardStory | undefined, states: PeerStates, time: Time, fine: FineWheel): Guard | null {
  if (options === undefined) return null
  const loopDelay = new LoopDelay(time.clock)
  return new Guard({
    name: "c",
    options: { ...NOTHING, ...options },
    states,
    slot: 0,
    time,
    fine,
    loopDelay,
    ejection: null,
    meter: null,
    random: () => 0,
  })
}

/** What the guard still counts when everything is over. */
export function heldPlaces(world: World): string[] {
  const kinds = ["in flight", "pending", "retries", "unanswered", "queued critical", "queued high", "queued normal", "queued low"]
  const slots = [0, ...world.cluster.peers.map(({ slot }) => slot)]
  return slots.flatMap(slot =>
    kinds.flatMap((kind, index) => (world.states.tally(slot, index) === 0 ? [] : [`${kind} in slot ${slot}: ${world.states.tally(slot, index)}`])),
  )
}
