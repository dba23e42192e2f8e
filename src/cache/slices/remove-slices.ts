import { decodeHead, RESPONSE } from "../stored.ts"
import { isSameRepresentation, type Representation, representationOf } from "./representation.ts"
import { type SliceScope, sliceKey } from "./slice-scope.ts"

/** Slices that are looked at before others have their turn. */
const TURN_MAX = 128

/** Representations that are being removed, one time each, by thread. */
const under = new Set<string>()

/** Removes what is stored of a representation that is not the URL's any more. Slices of another one stay. */
export async function removeSlices({ cache, key, sliceBytes }: Pick<SliceScope, "cache" | "key" | "sliceBytes">, old: Representation): Promise<void> {
  const name = `${key.text}\n${old.etag}\n${old.lastModified}`
  if (under.has(name)) return
  under.add(name)
  const count = Math.ceil(old.length / sliceBytes)
  for (let number = 0; number < count; number++) {
    removeIfOld({ cache, key }, number, old)
    if (number % TURN_MAX === TURN_MAX - 1) await new Promise(resolve => setImmediate(resolve))
  }
  under.delete(name)
}

/** On disk alone it is removed without a look: where memory has a newer one, that goes to the disk by itself. */
function removeIfOld({ cache, key }: Pick<SliceScope, "cache" | "key">, number: number, old: Representation): void {
  const { memory, disk } = cache.store
  const name = sliceKey(key, number)
  const entry = memory.find(name)
  const stored = entry === null || entry.head.length === 0 ? null : decodeHead(entry.head)
  const isThere = entry !== null
  entry?.release()
  const isOther = stored?.kind === RESPONSE && (stored.part === null || !isSameRepresentation(representationOf(stored), old))
  if (isOther || (isThere && stored === null)) return
  if (isThere) memory.removeKey(name)
  if (disk?.mayHave(name) === true) void disk.remove(name)
}
