// HOT
import { ageSeconds, ttlSeconds } from "./rules/reuse.ts"
import { FieldLines } from "./rules/field-lines.ts"
import type { Key } from "./store/key.ts"
import { RESPONSE, type StoredHead, type StoredResponse } from "./stored.ts"

/** What one thread remembers of an entry that it has read: where it is, its head, and, for a response, the field section of a plain hit as it leaves. */
export class Note {
  readonly key: Key
  readonly place: number
  readonly generation: number
  readonly stored: StoredHead
  /** Wall clock up to which a plain request may have it without another thought; 0 = never. */
  readonly freshUntilMs: number
  private lines = ""
  private prepared = ""
  private preparedUntilMs = 0

  constructor(key: Key, place: number, generation: number, stored: StoredHead) {
    this.key = key
    this.place = place
    this.generation = generation
    this.stored = stored
    this.freshUntilMs = stored.kind === RESPONSE && !stored.noCache ? stored.responseMs - stored.initialAgeMs + stored.lifetimeMs : 0
  }

  /** Field lines of a hit, but for Content-Length. They say the age in seconds, so they are made once a second. `says` = with Cache-Status. */
  linesAt(nowMs: number, says: boolean): string {
    if (nowMs < this.preparedUntilMs) return this.prepared
    const stored = this.stored as StoredResponse
    if (this.lines === "") this.lines = withoutLength(stored.lines)
    const age = ageSeconds(stored, nowMs)
    this.preparedUntilMs = stored.responseMs - stored.initialAgeMs + (age + 1) * 1000
    this.prepared = `${this.lines}Age: ${age}\r\n${says ? `Cache-Status: bothways; hit; ttl=${ttlSeconds(stored, nowMs)}\r\n` : ""}`
    return this.prepared
  }
}

const LENGTH: ReadonlySet<string> = new Set(["content-length"])

function withoutLength(lines: string): string {
  return FieldLines.parse(lines).without(LENGTH).render()
}
