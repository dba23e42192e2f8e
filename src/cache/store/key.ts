// HOT
import { hashString } from "../../base/index.ts"
import type { CacheKey } from "./contract.ts"

/** Differs for each process: whoever can choose URLs cannot choose where their entries land. The control thread makes it, workers are given it. */
let seed = 0

export function setKeySeed(to: number): void {
  seed = to
}

/** The key of `group` (a URL) and `rest` (what tells its entries apart; may be ""). */
export class Key implements CacheKey {
  readonly text: string
  readonly group: string
  readonly hash: number
  readonly groupHash: number

  constructor(group: string, rest: string) {
    this.group = group
    this.text = group + rest
    this.groupHash = hashString(group, seed)
    this.hash = rest === "" ? this.groupHash : hashString(this.text, seed)
  }
}

/** Hash of a group's text, as keys have it. */
export function hashOfGroup(group: string): number {
  return hashString(group, seed)
}
