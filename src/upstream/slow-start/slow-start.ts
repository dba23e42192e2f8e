// HOT
import type { Peer } from "../peer.ts"
import { HEALTH_DOWN, type PeerStates } from "../peer-states.ts"

/** Weights are whole numbers; while somebody starts slowly they are counted in hundredths. */
const PARTS = 100
/** How often the shares are looked at, at the most, in milliseconds. */
const LOOK_MS = 100

export interface SlowStartOptions {
  /** Milliseconds until a peer has its full weight. */
  readonly duration: number
  /** Share of its weight that it begins with, 0 to 1. */
  readonly from: number
}

/**
 * Lets a peer that comes back begin with a small part of its weight, which grows evenly to all of it (nginx Plus: slow_start; HAProxy: slowstart;
 * Envoy: slow_start_config with aggression 1). It changes the weights that balancers read, and so works with all of them.
 * Only proportions count: where all peers have just come back, each has the part of its weight that its time says, and together they take everything.
 * A peer that is out has the smallest part already, so that the first moment is no other than those that follow.
 */
export class SlowStart {
  private readonly options: SlowStartOptions
  private peers: readonly Peer[] = []
  private nextLookAt = -Infinity

  constructor(options: SlowStartOptions) {
    this.options = options
  }

  /** The whole list; their weights are set anew at once. */
  peersChanged(peers: readonly Peer[]): void {
    this.peers = peers
    this.weigh()
  }

  /** Before each choice; `now` in milliseconds of the monotonic clock. True = weights are others than they were. */
  look(now: number): boolean {
    if (now < this.nextLookAt) return false
    this.nextLookAt = now + LOOK_MS
    return this.weigh()
  }

  private weigh(): boolean {
    const { peers } = this
    let isStarting = false
    for (let i = 0; i < peers.length && !isStarting; i++) isStarting = this.shareOf(peers[i]!) < 1
    let changed = false
    for (let i = 0; i < peers.length; i++) {
      const peer = peers[i]!
      const weight = isStarting ? this.partOf(peer) : peer.fullWeight
      if (weight === peer.weight) continue
      peer.weight = weight
      changed = true
    }
    return changed
  }

  private partOf(peer: Peer): number {
    const whole = peer.fullWeight * PARTS
    // Of weight 0 is who gets nothing, and that stays a word of the operator.
    return whole === 0 ? 0 : Math.max(1, Math.round(this.shareOf(peer) * PARTS) * peer.fullWeight)
  }

  private shareOf({ states, slot }: Peer): number {
    return startShare(states, slot, this.options)
  }
}

/** The share of its weight that a peer has now, 1 = all of it. */
export function startShare(states: PeerStates, slot: number, { duration, from }: SlowStartOptions): number {
  if (isOut(states, slot)) return from
  const since = states.cameBackAt(slot)
  if (since === 0) return 1
  const passed = (states.now() - since) * 100
  // Of the wall clock, which may have been set back.
  return passed >= duration || passed < 0 ? 1 : from + (1 - from) * (passed / duration)
}

/** Down, draining, ejected, or on the trial that follows an ejection. */
function isOut(states: PeerStates, slot: number): boolean {
  return states.health(slot) === HEALTH_DOWN || states.isDraining(slot) || states.ejectedUntil(slot) !== 0
}
