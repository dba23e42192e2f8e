// HOT
import type { SplitConfig } from "../schema/split.ts"
import { SHARE_ONE, type SplitZone } from "./split-zone.ts"

/**
 * Which arm a place belongs to. Places lie on a line; the first arm has its middle, the canary begins at its left end, the next arm at its right end, and further ones
 * beside these in turn:
 *
 *   0 | canary → | third → |        first arm        | ← fourth | ← second | 1
 *
 * So that the canary, and the second arm, grow at the expense of the first one alone: whoever has been on an arm that grew is still on it. The canary comes first where
 * shares are more than the line has.
 */
export class SplitShares {
  /** Index of the arm that has what the others leave. */
  readonly base: number
  private readonly order: number[] = []
  private readonly config: Int32Array
  private readonly zone: SplitZone

  constructor({ arms, canaryArm }: SplitConfig, zone: SplitZone) {
    this.zone = zone
    this.base = canaryArm === 0 ? 1 : 0
    this.order.push(canaryArm)
    for (let i = 0; i < arms.length; i++) if (i !== canaryArm && i !== this.base) this.order.push(i)
    let sum = 0
    for (let i = 0; i < arms.length; i++) sum += arms[i]!.weight
    this.config = new Int32Array(arms.length)
    for (let i = 0; i < arms.length; i++) this.config[i] = Math.round((arms[i]!.weight / sum) * SHARE_ONE)
  }

  /** The arm of a place. Reads the live shares. */
  armAt(place: number): number {
    const { order } = this
    let left = 0
    let right = SHARE_ONE
    for (let k = 0; k < order.length; k++) {
      const arm = order[k]!
      const share = this.wanted(arm)
      if ((k & 1) === 0) {
        left += share
        if (place < left) return arm
      } else {
        right -= share
        if (place >= right) return arm
      }
    }
    return this.base
  }

  private wanted(arm: number): number {
    const live = this.zone.shareOf(arm)
    return live < 0 ? this.config[arm]! : live
  }

  /** The share of an arm that is not the base, from 0 to 1, as the config has it. */
  configured(arm: number): number {
    return this.config[arm]! / SHARE_ONE
  }

  /** What every arm gets now, by index, from 0 to 1. */
  now(): number[] {
    const out = new Array<number>(this.config.length).fill(0)
    let left = 0
    let right = SHARE_ONE
    for (let k = 0; k < this.order.length; k++) {
      const arm = this.order[k]!
      const share = Math.max(0, Math.min(this.wanted(arm), right - left))
      if ((k & 1) === 0) left += share
      else right -= share
      out[arm] = share / SHARE_ONE
    }
    out[this.base] = (right - left) / SHARE_ONE
    return out
  }
}
