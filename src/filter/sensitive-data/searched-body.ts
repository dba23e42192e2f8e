import { type Fault, FAULT } from "../../base/index.ts"
import type { BodyChange } from "../../flow/index.ts"
import { findAll, type Found, type Find, masked } from "./find.ts"

/** Characters that are kept back, since a match may begin in them: longer than any kind but tokens and keys, which are followed over their end. */
const OVERLAP = 512
/** What tokens and keys go on with. */
const tail = /^[A-Za-z0-9._=+/\s-]*/
const long: ReadonlySet<string> = new Set(["tokens", "keys"])

export interface Search {
  readonly finds: readonly (readonly [kind: string, find: Find])[]
  readonly action: "mask" | "block" | "log"
  /** Told of each find. */
  readonly found: (found: Found) => void
}

/** A body on its way that is looked through; what is masked is as long as before. */
export class SearchedBody implements BodyChange {
  readonly keepsOctets = true
  trailers = ""
  fault: Fault = FAULT.contentBlocked
  private readonly search: Search
  private rest = ""
  /** A token that was masked up to the end of what had come. */
  private goesOn = false

  constructor(search: Search) {
    this.search = search
  }

  push(chunk: Uint8Array): Uint8Array | null {
    return this.take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).latin1Slice(), false)
  }

  end(trailers: string): Uint8Array | null {
    this.trailers = trailers
    return this.take("", true)
  }

  private take(came: string, isEnd: boolean): Uint8Array | null {
    const { finds, action } = this.search
    const text = this.goesOn ? this.rest + this.followed(came) : this.rest + came
    const found = findAll(text, finds)
    const limit = isEnd ? text.length : Math.max(0, text.length - OVERLAP)
    // What begins behind the limit is looked at again with what comes.
    const done = found.filter(({ from, to, kind }) => from < limit || (isEnd && to > 0) || (long.has(kind) && to === text.length))
    for (const one of done) this.search.found(one)
    if (action === "block" && done.length > 0) return null
    const last = done.at(-1)
    const begins = action === "mask" && last !== undefined && last.to === text.length && long.has(last.kind)
    this.goesOn = this.goesOn || begins
    const out = action === "mask" ? masked(text, done) : text
    // Once it is told it must not be found again.
    const upTo = Math.max(limit, action === "mask" || last === undefined ? 0 : last.to)
    this.rest = out.slice(upTo)
    return Buffer.from(out.slice(0, upTo), "latin1")
  }

  private followed(came: string): string {
    const more = tail.exec(came)?.[0] ?? ""
    this.goesOn = more.length === came.length
    return more.replace(/[A-Za-z0-9]/g, "*") + came.slice(more.length)
  }
}
