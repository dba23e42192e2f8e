import { hash } from "node:crypto"
import { AddressError, CidrSet, FileError } from "../../base/index.ts"

/** A list that was read, by the text that it was read from. */
interface Known {
  readonly digest: string
  readonly set: WeakRef<CidrSet>
}

/** Lists of this thread. Filters that name one file share one set; what no filter uses is not held. */
const known = new Map<string, Known>()
const KNOWN_MAX = 256

/** The addresses of a file. `closing` as in CidrSet. Throws FileError, which names file and line. */
export function readListFile(content: string, path: string, closing: boolean): CidrSet {
  // What writes the list may have failed, or be about to write it: then everybody who was denied would get in.
  if (closing && content.trim() === "") throw new FileError(path, "is empty; a list that is meant to name nobody says so in a comment")
  const key = `${closing} ${path}`
  const digest = hash("sha1", content)
  const before = known.get(key)
  const shared = before?.digest === digest ? before.set.deref() : undefined
  if (shared !== undefined) return shared
  const set = parse(content, path, closing)
  if (known.size >= KNOWN_MAX) known.clear()
  known.set(key, { digest, set: new WeakRef(set) })
  return set
}

function parse(content: string, path: string, closing: boolean): CidrSet {
  try {
    return CidrSet.parseLines(content, { closing })
  } catch (error) {
    if (error instanceof AddressError) throw new FileError(path, error.message)
    throw error
  }
}
