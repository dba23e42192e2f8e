// HOT
import { isOfConnection } from "./connection-fields.ts"
import { mayTrail } from "../trailer-fields.ts"
import type { HeaderSink } from "./hpack/decoder.ts"
import type { HeaderEntry } from "./hpack/entry.ts"

const TRAILER_FIELDS_MAX = 64
const TRAILER_BYTES_MAX = 16 * 1024

/** Reads a trailer section into lines that may travel on (RFC 9113 section 8.1). One for the thread. */
class TrailerFields implements HeaderSink {
  private lines = ""
  private count = 0
  private size = 0
  private bad = false

  begin(): void {
    this.lines = ""
    this.count = 0
    this.size = 0
    this.bad = false
  }

  onField(entry: HeaderEntry): void {
    this.size += entry.size
    if (!entry.sound || entry.pseudo || isOfConnection(entry.id) || ++this.count > TRAILER_FIELDS_MAX || this.size > TRAILER_BYTES_MAX)
      this.bad = true
    if (!this.bad && mayTrail(entry.id)) this.lines += entry.line
  }

  /** null = the section is not one. */
  finish(): string | null {
    return this.bad ? null : this.lines
  }
}

export const trailerFields: TrailerFields = new TrailerFields()

/** A section that nobody wants: decoding it keeps the table up to date. */
export const noFields: HeaderSink = { onField(): void {} }
