// HOT
import { assert } from "../base/index.ts"
import { nameId, nameOf } from "./names.ts"

const LINE = 4 // integers per field in `spans`: line start, name end, value start, value end
const INITIAL = 24

/**
 * A header section that remembers the bytes it came as.
 *
 *   raw:   "Host: a.test\r\nAccept: x\r\nConnection: close\r\n"
 *   spans:  ^line ^name  ^value ^value end (trimmed), four integers a field; a line ends where the next begins
 *   ids:    the known-name id of each field, -1 once it is removed
 *   extra:  lines that we add, ready to send
 *
 * `render` copies untouched runs as they came, in order and case. A field is replaced by removing it and appending.
 * Values are latin1 strings: one character an octet. Other HTTP versions fill `raw` with the same form.
 */
export class Fields {
  raw = ""
  count = 0
  /** End of the last line in `raw`. */
  end = 0
  extra = ""
  /** Presence bits of ids 0 to 31 and 32 to 63; a set bit may be stale after a removal only in `has`'s favour: removal clears it. */
  presentLow = 0
  presentHigh = 0
  /** The same for names that came more than once. */
  private repeatedLow = 0
  private repeatedHigh = 0
  removed = 0
  /** A name differs only by its separators from one that frames the body (`Transfer_Encoding`): some servers take it for that one. */
  lookalike = false
  spans: Int32Array = new Int32Array(INITIAL * LINE)
  ids: Int32Array = new Int32Array(INITIAL)

  reset(raw: string): void {
    this.raw = raw
    this.count = 0
    this.end = 0
    this.extra = ""
    this.presentLow = 0
    this.presentHigh = 0
    this.repeatedLow = 0
    this.repeatedHigh = 0
    this.removed = 0
    this.lookalike = false
  }

  /** Becomes what `other` is; they share nothing but text. */
  copyFrom(other: Fields): void {
    const { count } = other
    while (this.ids.length < count) this.grow()
    this.raw = other.raw
    this.count = count
    this.end = other.end
    this.extra = other.extra
    this.presentLow = other.presentLow
    this.presentHigh = other.presentHigh
    this.repeatedLow = other.repeatedLow
    this.repeatedHigh = other.repeatedHigh
    this.removed = other.removed
    this.lookalike = other.lookalike
    const { ids, spans } = this
    for (let i = 0; i < count; i++) ids[i] = other.ids[i]!
    for (let i = 0; i < count * LINE; i++) spans[i] = other.spans[i]!
  }

  /** Adds a parsed line. The caller has checked the grammar. */
  push(id: number, lineStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const at = this.count
    if (at === this.ids.length) this.grow()
    this.ids[at] = id
    const s = this.spans
    const base = at * LINE
    s[base] = lineStart
    s[base + 1] = nameEnd
    s[base + 2] = valueStart
    s[base + 3] = valueEnd
    this.count = at + 1
    if (id < 32) {
      const bit = 1 << id
      this.repeatedLow |= this.presentLow & bit
      this.presentLow |= bit
    } else {
      const bit = 1 << (id - 32)
      this.repeatedHigh |= this.presentHigh & bit
      this.presentHigh |= bit
    }
  }

  private grow(): void {
    const ids = new Int32Array(this.ids.length * 2)
    ids.set(this.ids)
    this.ids = ids
    const spans = new Int32Array(this.spans.length * 2)
    spans.set(this.spans)
    this.spans = spans
  }

  /** True when a field of this known name is present in what came (appended lines do not count). */
  has(id: number): boolean {
    assert(id > 0, "has() takes a known name")
    return id < 32 ? (this.presentLow & (1 << id)) !== 0 : (this.presentHigh & (1 << (id - 32))) !== 0
  }

  /** True when a field of this known name came more than once, whether or not it has been removed since. */
  repeated(id: number): boolean {
    return id < 32 ? (this.repeatedLow & (1 << id)) !== 0 : (this.repeatedHigh & (1 << (id - 32))) !== 0
  }

  /** Index of the first field with this id from `from` on, or -1. */
  indexOf(id: number, from = 0): number {
    const ids = this.ids
    for (let i = from; i < this.count; i++) if (ids[i] === id) return i
    return -1
  }

  /** Index of the first field with this lower-case name from `from` on, or -1. Slower than `indexOf`. */
  indexOfName(name: string, from = 0): number {
    const id = nameId(name, 0, name.length)
    if (id !== 0) return this.indexOf(id, from)
    for (let i = from; i < this.count; i++) if (this.ids[i] === 0 && this.nameIs(i, name)) return i
    return -1
  }

  /** The first value of a known name, or "" when absent. */
  get(id: number): string {
    if (!this.has(id)) return ""
    const i = this.indexOf(id)
    return i < 0 ? "" : this.valueAt(i)
  }

  /** The first value of any name (lower case), or undefined. */
  find(name: string): string | undefined {
    const i = this.indexOfName(name)
    return i < 0 ? undefined : this.valueAt(i)
  }

  /** All values of a known name joined by ", " in order (RFC 9110 section 5.3), "" when absent. */
  joined(id: number): string {
    if (!this.has(id)) return ""
    let out = ""
    for (let i = this.indexOf(id); i >= 0; i = this.indexOf(id, i + 1)) out = out === "" ? this.valueAt(i) : `${out}, ${this.valueAt(i)}`
    return out
  }

  valueAt(index: number): string {
    const base = index * LINE
    return this.raw.substring(this.spans[base + 2]!, this.spans[base + 3]!)
  }

  /** Where the value at `index` begins and ends in `raw`. */
  valueStart(index: number): number {
    return this.spans[index * LINE + 2]!
  }

  valueEnd(index: number): number {
    return this.spans[index * LINE + 3]!
  }

  /** The name at `index` as it came. */
  nameAt(index: number): string {
    const base = index * LINE
    return this.raw.substring(this.spans[base]!, this.spans[base + 1]!)
  }

  /** Compares the name at `index` with a lower-case name. */
  nameIs(index: number, lower: string): boolean {
    const base = index * LINE
    const start = this.spans[base]!
    if (this.spans[base + 1]! - start !== lower.length) return false
    for (let i = 0; i < lower.length; i++) {
      let code = this.raw.charCodeAt(start + i)
      if (code >= 65 && code <= 90) code += 32
      if (code !== lower.charCodeAt(i)) return false
    }
    return true
  }

  removeAt(index: number): void {
    assert(index >= 0 && index < this.count, "removeAt index in range")
    if (this.ids[index] === -1) return
    this.ids[index] = -1
    this.removed++
  }

  /** Removes every field of a known name. */
  remove(id: number): void {
    if (!this.has(id)) return
    for (let i = 0; i < this.count; i++) if (this.ids[i] === id) this.removeAt(i)
    if (id < 32) this.presentLow &= ~(1 << id)
    else this.presentHigh &= ~(1 << (id - 32))
  }

  /** Removes every field of any name (lower case). */
  removeName(name: string): void {
    const id = nameId(name, 0, name.length)
    if (id !== 0) this.remove(id)
    else for (let i = this.indexOfName(name); i >= 0; i = this.indexOfName(name, i + 1)) this.removeAt(i)
  }

  /** Adds a line at the end. `value` must hold no CR, LF or NUL; the caller states what it sends. */
  append(name: string, value: string): void {
    this.extra += `${name}: ${value}\r\n`
  }

  /** Replaces every field of a known name by one line at the end. */
  set(id: number, name: string, value: string): void {
    this.remove(id)
    this.append(name, value)
  }

  /** The section as it leaves: untouched runs as they came, then what was added. No blank line. */
  render(): string {
    if (this.removed === 0) {
      const start = this.count === 0 ? this.end : this.spans[0]!
      return this.extra === "" ? this.raw.substring(start, this.end) : this.raw.substring(start, this.end) + this.extra
    }
    let out = ""
    let runStart = -1
    for (let i = 0; i < this.count; i++) {
      const lineStart = this.spans[i * LINE]!
      if (this.ids[i] === -1) {
        if (runStart >= 0) out += this.raw.substring(runStart, lineStart)
        runStart = -1
      } else if (runStart < 0) runStart = lineStart
    }
    if (runStart >= 0) out += this.raw.substring(runStart, this.end)
    return out + this.extra
  }

  /** Calls `visit(name, value)` for each field that came and is still there; for logs and explain, not for the hot path. */
  forEach(visit: (name: string, value: string) => void): void {
    for (let i = 0; i < this.count; i++) if (this.ids[i] !== -1) visit(this.nameAt(i), this.valueAt(i))
  }

  /** A section made of pairs, for tests, explain and local replies. */
  static of(pairs: readonly (readonly [string, string])[]): Fields {
    const fields = new Fields()
    let raw = ""
    for (const [name, value] of pairs) raw += `${name}: ${value}\r\n`
    fields.reset(raw)
    let at = 0
    for (const [name, value] of pairs) {
      const valueStart = at + name.length + 2
      fields.push(nameId(name, 0, name.length), at, at + name.length, valueStart, valueStart + value.length)
      at = valueStart + value.length + 2
    }
    fields.end = at
    return fields
  }
}

export { nameOf }
