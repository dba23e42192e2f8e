// HOT
import type { Exchange } from "../flow/index.ts"
import { type Fields, nameId } from "../http/index.ts"
import { dropField } from "./headers/edit-fields.ts"

const LINE = 4
const HYPHEN = 45
const UNDERSCORE = 95

/**
 * Names of fields by which the peer knows who somebody is. What clients send of them goes, and so does what many servers take for them:
 * `X_User` and `X-User` are one variable of CGI, WSGI and their kin (RFC 3875 section 4.1.18).
 */
export class ClaimedNames {
  private readonly names: readonly string[]
  /** Those that the codecs know, as their numbers. */
  private readonly ids: readonly number[]
  /** The names with hyphens, by their length. */
  private readonly byLength: readonly (readonly string[] | undefined)[]

  constructor(names: readonly string[]) {
    const lower: string[] = []
    const ids: number[] = []
    const byLength: string[][] = []
    for (const name of names) {
      lower.push(name.toLowerCase())
      const id = nameId(name, 0, name.length)
      if (id !== 0) ids.push(id)
      const sameLength = (byLength[name.length] ??= [])
      sameLength.push(name.toLowerCase().replaceAll("_", "-"))
    }
    this.names = lower
    this.ids = ids
    this.byLength = byLength
  }

  has(lower: string): boolean {
    return this.names.includes(lower)
  }

  dropFrom(x: Exchange): void {
    const { request } = x
    const { names, byLength } = this
    if (names.length === 0) return
    for (let i = 0; i < request.count; i++) {
      if (request.ids[i] !== 0) continue
      const length = request.spans[i * LINE + 1]! - request.spans[i * LINE]!
      const candidates = byLength[length]
      if (candidates !== undefined && isOneOf(request, i, candidates)) request.removeAt(i)
    }
    for (let k = 0; k < this.ids.length; k++) request.remove(this.ids[k]!)
    // What filters before have added.
    if (request.extra !== "") for (let k = 0; k < names.length; k++) dropField(request, names[k]!)
  }
}

function isOneOf(fields: Fields, index: number, candidates: readonly string[]): boolean {
  for (let k = 0; k < candidates.length; k++) if (looksLike(fields, index, candidates[k]!)) return true
  return false
}

function looksLike(fields: Fields, index: number, name: string): boolean {
  const start = fields.spans[index * LINE]!
  for (let i = 0; i < name.length; i++) {
    let code = fields.raw.charCodeAt(start + i)
    if (code >= 65 && code <= 90) code += 32
    if (code === UNDERSCORE) code = HYPHEN
    if (code !== name.charCodeAt(i)) return false
  }
  return true
}
