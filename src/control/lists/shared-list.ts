import { createHash } from "node:crypto"
import type { ListConfig } from "../../config/index.ts"

/** A list as workers get it. */
export interface SharedList {
  /** Of `listKey`: the same as long as nothing in the config changes it. */
  readonly key: string
  /** Rises with each version of what is behind the key. */
  readonly version: number
  /** Of a `NameSet`; never changed after it is given out. */
  readonly memory: SharedArrayBuffer
}

/** Names a list with all that the config says of it, so that one with other files or another format is another list. */
export function listKey(name: string, list: ListConfig): string {
  return `${name} ${createHash("sha256").update(JSON.stringify(list)).digest("hex").slice(0, 32)}`
}
