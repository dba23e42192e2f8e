import type { Fields } from "../../http/index.ts"
import type { RouteCache } from "../route-cache.ts"
import { variantKey } from "../rules/vary.ts"
import type { Key } from "../store/key.ts"
import { decodeHead, encodeVaryRule, VARY_RULE } from "../stored.ts"
import { plainKey, variantUnder } from "../variants.ts"

/** Sets of names under which the variants of one URL are looked for. */
const VARY_SETS_MAX = 4
/** What every request for a slice says in the same way, so that it tells no two of them apart. */
const SAME_FOR_ALL: ReadonlySet<string> = new Set(["accept-encoding", "range", "if-range"])

/** The names of a Vary by which slices differ. */
export function namesThatCount(names: readonly string[]): readonly string[] {
  return names.some(name => SAME_FOR_ALL.has(name)) ? names.filter(name => !SAME_FOR_ALL.has(name)) : names
}

/** The key of the representation that answered a request with these fields, looked for under `key`. That one stays where it tells apart by these names, or by more. */
export function keyForNames(key: Key, names: readonly string[], fields: Fields): Key {
  const told = namesOfKey(key)
  if (names.every(name => told.includes(name))) return key
  return variantUnder(
    plainKey(key),
    names,
    variantKey(names, name => joinedOf(fields, name)),
  )
}

/** The names that a variant's key was made by. */
function namesOfKey(key: Key): readonly string[] {
  const mark = key.text.indexOf("\0")
  return mark < 0 ? [] : key.text.substring(mark + 1, key.text.indexOf("\n", mark)).split(",")
}

function joinedOf(fields: Fields, name: string): string {
  const values: string[] = []
  for (let i = fields.indexOfName(name); i >= 0; i = fields.indexOfName(name, i + 1)) values.push(fields.valueAt(i))
  return values.join(", ")
}

/** Says under the plain key which fields tell the variants apart, beside those that are known. */
export function leaveVaryRule(cache: RouteCache, key: Key, names: readonly string[]): void {
  const { memory, disk } = cache.store
  const plain = plainKey(key)
  const old = memory.find(plain)
  const known = old === null || old.head.length === 0 ? null : decodeHead(old.head)
  old?.release()
  const others = known?.kind === VARY_RULE ? known.sets.filter(set => set.join() !== names.join()) : []
  const rule = memory.begin(plain, true)
  if (rule === null) return
  const head = encodeVaryRule([names, ...others].slice(0, VARY_SETS_MAX))
  if (rule.setHead(head, 0, [])) rule.complete()
  rule.release()
  void disk?.begin(plain, head, 0, [])?.commit()
}
