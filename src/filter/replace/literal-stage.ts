// HOT
import type { Stage } from "./replaced-body.ts"

/** Replaces one text by another, also where chunks cut it. Texts have one character an octet. */
export class LiteralStage implements Stage {
  private readonly find: string
  private readonly octets: Buffer
  private readonly by: string
  /** How often it is still done. */
  private left: number
  /** The beginning of a match that may go on in the next chunk. */
  private rest = ""

  constructor(find: string, by: string, times: number) {
    this.find = find
    this.octets = Buffer.from(find, "latin1")
    this.by = by
    this.left = times
  }

  passes(chunk: Buffer): boolean {
    if (this.left === 0) return this.rest === ""
    if (this.rest !== "" || chunk.includes(this.octets)) return false
    const end = chunk.latin1Slice(Math.max(0, chunk.length - this.find.length + 1))
    return this.partAtEnd(end, 0) === end.length
  }

  push(text: string): string {
    if (this.left === 0) return text
    const { find } = this
    const all = this.rest + text
    let out = ""
    let at = 0
    for (;;) {
      const found = this.left > 0 ? all.indexOf(find, at) : -1
      if (found < 0) break
      out += all.substring(at, found) + this.by
      at = found + find.length
      this.left--
    }
    const stop = this.left > 0 ? this.partAtEnd(all, at) : all.length
    this.rest = all.substring(stop)
    return out + all.substring(at, stop)
  }

  /** Where the longest end of `all` from `at` on begins that a match may begin with. */
  private partAtEnd(all: string, at: number): number {
    const { find } = this
    const first = find.charCodeAt(0)
    for (let i = Math.max(at, all.length - find.length + 1); i < all.length; i++)
      if (all.charCodeAt(i) === first && find.startsWith(all.substring(i))) return i
    return all.length
  }

  end(text: string): string {
    const out = this.push(text) + this.rest
    this.rest = ""
    return out
  }
}
