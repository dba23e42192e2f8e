// HOT
/**
 * What becomes of a field by its name, kept by the name as it is written, so that no name is brought to lower case twice.
 *
 *   "Content-Length" ─> { lower "content-length", staticIndex 28, treatment ONCE }
 */
import { FORM } from "./integer.ts"
import { staticNameIndex } from "./static-table.ts"

/** May enter the table. */
export const REPEATS = 0
/** Hardly ever comes twice, so it would only push others out. */
export const ONCE = 1
/** Never enters a table, here or at any hop behind: tables of upstream connections serve many clients (RFC 7541 section 7.1). */
export const NEVER = 2
/** Belongs to one connection of HTTP/1.1 (RFC 9113 section 8.2.2), or is a pseudo field here. */
export const DROPPED = 3
/** Only `te: trailers` goes out (RFC 9113 section 8.2.2). */
export const TE = 4

const treatments = new Map<string, number>()
const treat = (treatment: number, names: string): void => {
  for (const name of names.split(" ")) treatments.set(name, treatment)
}
treat(DROPPED, "connection keep-alive proxy-connection transfer-encoding upgrade http2-settings host")
treat(NEVER, "authorization proxy-authorization cookie set-cookie")
treat(ONCE, ":path content-length content-range etag last-modified location age range referer expires")
treat(ONCE, "if-none-match if-match if-modified-since if-unmodified-since if-range")
treat(ONCE, "x-request-id x-correlation-id traceparent tracestate x-forwarded-for forwarded x-real-ip sec-websocket-key sec-websocket-accept")
treat(TE, "te")

export class KnownName {
  /** The name as it is written, and the colon: what a line of it begins with. */
  readonly prefix: string
  readonly lower: string
  /** Its index in the static table, or 0. */
  readonly staticIndex: number
  readonly treatment: number
  /** The FORM of a literal that does not enter the table. */
  readonly form: number

  constructor(raw: string) {
    this.prefix = `${raw}:`
    this.lower = raw.toLowerCase()
    this.staticIndex = staticNameIndex(this.lower)
    this.treatment = treatments.get(this.lower) ?? REPEATS
    this.form = this.treatment === NEVER ? FORM.never : FORM.once
  }
}

const NAMES_MAX = 512
const CHARACTERS_MAX = 64
const known = new Map<string, KnownName>()

/** A field name in any case. */
export function knownName(raw: string): KnownName {
  const found = known.get(raw)
  if (found !== undefined) return found
  const name = new KnownName(ownText(raw))
  if (raw.length <= CHARACTERS_MAX) {
    if (known.size >= NAMES_MAX) known.clear()
    known.set(name.prefix.slice(0, -1), name)
  }
  return name
}

const scratch = Buffer.allocUnsafeSlow(2048)

/** The same latin1 text in memory of its own: a part of a text keeps the whole of it alive. Text that is longer than what is ever kept stays as it is. */
export function ownText(text: string): string {
  return text.length > scratch.length ? text : scratch.latin1Slice(0, scratch.latin1Write(text, 0))
}
