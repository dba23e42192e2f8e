import { type Fault, FAULT } from "../../base/index.ts"
import type { BodyChange } from "../../flow/index.ts"
import { PhraseCount, type PhraseTable, wordsOf } from "./phrases.ts"

const NOTHING = new Uint8Array(0)

export interface Reading {
  readonly table: PhraseTable
  /** From this score on the body is not let through. */
  readonly limit: number
  /** Octets that are read; the head waits for as many where `holds`. */
  readonly bytesMax: number
  readonly holds: boolean
  readonly html: boolean
  readonly charset: string
  /** Told once, when the limit is reached. */
  readonly reached: (phrase: string, score: number) => void
}

/** A response's body that is read on its way. Until enough of it has been read nothing leaves, so that a page takes its place. */
export class ReadBody implements BodyChange {
  trailers = ""
  readonly fault: Fault = FAULT.contentBlocked
  readonly keepsOctets = true
  private readonly reading: Reading
  private readonly count: PhraseCount
  private readonly decoder: TextDecoder
  private held: Uint8Array[] = []
  private bytes = 0
  private done = false
  private told = false
  private inTag = false
  /** A word that may go on. */
  private rest = ""

  constructor(reading: Reading) {
    this.reading = reading
    this.count = new PhraseCount(reading.table)
    this.decoder = decoderOf(reading.charset)
  }

  get holdsHead(): boolean {
    return this.reading.holds && !this.done
  }

  push(chunk: Uint8Array): Uint8Array | null {
    if (this.done) return chunk
    this.bytes += chunk.length
    this.read(this.decoder.decode(chunk, { stream: true }), false)
    if (this.isTooMuch()) return null
    if (!this.reading.holds) {
      if (this.bytes >= this.reading.bytesMax) this.done = true
      return chunk
    }
    this.held.push(Uint8Array.from(chunk))
    if (this.bytes < this.reading.bytesMax) return NOTHING
    // A phrase may speak for the page up to here, and no further.
    if (this.decides()) return null
    return this.letGo()
  }

  flush(): Uint8Array {
    return NOTHING
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = trailers
    if (this.done) return NOTHING
    this.read(this.decoder.decode(), true)
    return this.decides() ? null : this.letGo()
  }

  private letGo(): Uint8Array {
    this.done = true
    const { held } = this
    this.held = []
    return held.length === 0 ? NOTHING : Buffer.concat(held)
  }

  /** What is not held back cannot wait for words that speak for it. */
  private isTooMuch(): boolean {
    return !this.reading.holds && this.decides()
  }

  private decides(): boolean {
    if (this.told || this.count.score < this.reading.limit) return false
    this.told = true
    this.reading.reached(this.count.first, this.count.score)
    return this.reading.holds
  }

  private read(text: string, isEnd: boolean): void {
    const all = this.rest + (this.reading.html ? this.withoutTags(text) : text)
    // The last word may go on in the next chunk; one without an end is no word.
    const cut = isEnd ? all.length : lastGap(all)
    this.rest = all.slice(cut).slice(-200)
    this.count.take(wordsOf(all.slice(0, cut)))
  }

  private withoutTags(text: string): string {
    let out = ""
    let at = 0
    while (at < text.length) {
      const next = text.indexOf(this.inTag ? ">" : "<", at)
      const end = next < 0 ? text.length : next
      if (!this.inTag) out += text.slice(at, end)
      if (next < 0) break
      // A tag divides no word from the next: <b>wo</b>rd is one word for whoever reads it.
      this.inTag = !this.inTag
      at = end + 1
    }
    return out
  }
}

function lastGap(text: string): number {
  for (let i = text.length - 1; i >= 0; i--) if (/[^\p{L}\p{N}\p{M}]/u.test(text[i]!)) return i
  return 0
}

function decoderOf(charset: string): TextDecoder {
  try {
    return new TextDecoder(charset as "utf-8")
  } catch {
    return new TextDecoder("utf-8")
  }
}
