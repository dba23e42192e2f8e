import { DiskCopy } from "./disk-copy.ts"
import type { Keeper } from "./keeper.ts"
import type { MemoryEntry } from "./store/contract.ts"
import type { Key } from "./store/key.ts"
import { decodeHead, encodeVaryRule, VARY_RULE } from "./stored.ts"

/** Sets of names under which the variants of one URL are looked for. */
const VARY_SETS_MAX = 4

/** Says under the plain key which fields tell the variants apart. `writer`: the entry that others wait for; it is given away here. */
export function leaveVaryRule(keeper: Keeper, plain: Key, names: readonly string[], writer: MemoryEntry | null): void {
  const { fetch } = keeper
  const { memory } = fetch.cache.store
  const isPlain = fetch.key.text === plain.text
  const rule = isPlain && writer !== null ? writer : memory.begin(plain, true)
  if (rule !== null) {
    const head = encodeVaryRule([names, ...otherSets(keeper, plain, names)].slice(0, VARY_SETS_MAX))
    if (rule.setHead(head, 0, [])) rule.complete()
    DiskCopy.begin(fetch, plain, { head, length: 0, labels: [] })?.commit()
    fetch.cache.store.fetchEnds(rule.place, fetch)
    rule.release()
  }
  if (writer !== null && rule !== writer) keeper.letGo(writer, "", false)
}

/** What the rule says that is there. */
function otherSets({ fetch }: Keeper, plain: Key, names: readonly string[]): readonly (readonly string[])[] {
  const old = fetch.cache.store.memory.find(plain)
  if (old === null) return []
  const known = old.head.length === 0 ? null : decodeHead(old.head)
  old.release()
  return known?.kind === VARY_RULE ? known.sets.filter(set => set.join() !== names.join()) : []
}
