import { hashString } from "../../../base/index.ts"
import { KeyTable, tagOf } from "./key-table.ts"

interface Homeless {
  readonly hash: number
  readonly tag: number
  count: number
}

/** The keeper's side of the table: knows those that found no place in it, and moves them in when there is room. */
export class KeyIndex {
  private readonly table: KeyTable
  private readonly seed: number
  /** Equal pairs are counted: whoever finds many keys with equal hashes makes one of these. */
  private readonly homeless = new Map<string, Homeless>()

  constructor(words: Uint32Array, seed: number) {
    this.table = new KeyTable(words, seed)
    this.seed = seed
  }

  add(keyText: string): void {
    const hash = hashString(keyText, this.seed)
    const tag = tagOf(keyText, this.seed)
    if (this.table.put(hash, tag)) return
    const pair = `${hash}:${tag}`
    const known = this.homeless.get(pair)
    if (known === undefined) this.homeless.set(pair, { hash, tag, count: 1 })
    else known.count++
  }

  /** The key was added, and not removed since. */
  remove(keyText: string): void {
    const hash = hashString(keyText, this.seed)
    const tag = tagOf(keyText, this.seed)
    if (this.table.drop(hash, tag)) return this.house()
    const homeless = this.homeless.get(`${hash}:${tag}`)
    if (homeless !== undefined) this.leave(homeless)
  }

  clear(): void {
    this.table.clear()
    this.homeless.clear()
  }

  /** First in, then no longer counted: nobody sees it missing in between. */
  private house(): void {
    for (const homeless of this.homeless.values()) {
      if (this.table.put(homeless.hash, homeless.tag)) this.leave(homeless)
      else this.table.uncount(homeless.hash)
    }
  }

  private leave(homeless: Homeless): void {
    this.table.uncount(homeless.hash)
    homeless.count--
    if (homeless.count === 0) this.homeless.delete(`${homeless.hash}:${homeless.tag}`)
  }
}
