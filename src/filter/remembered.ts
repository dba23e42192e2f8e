// HOT
import { hash, randomBytes } from "node:crypto"

interface Entry<Value> {
  readonly value: Value
  readonly untilMs: number
}

/**
 * What was found out about secrets (tokens, keys, cookies), so that the next request costs a look-up. The secrets themselves are not kept: each stands for
 * itself by its SHA-256 under a key of this process. The oldest entry makes room when `entriesMax` are there.
 */
export class Remembered<Value> {
  private readonly secret = randomBytes(32).toString("base64")
  private readonly entries = new Map<string, Entry<Value>>()
  private readonly entriesMax: number

  constructor(entriesMax: number) {
    this.entriesMax = entriesMax
  }

  get size(): number {
    return this.entries.size
  }

  /** The name of a secret in this memory; it tells nothing about it. */
  keyOf(text: string): string {
    return hash("sha256", this.secret + text, "latin1")
  }

  /** What is known at `nowMs`, or undefined. */
  recall(key: string, nowMs: number): Value | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    if (nowMs < entry.untilMs) return entry.value
    this.entries.delete(key)
    return undefined
  }

  keep(key: string, value: Value, untilMs: number): void {
    if (this.entries.size >= this.entriesMax && !this.entries.has(key)) {
      const oldest = this.entries.keys().next()
      if (oldest.done !== true) this.entries.delete(oldest.value)
    }
    this.entries.set(key, { value, untilMs })
  }

  forget(key: string): void {
    this.entries.delete(key)
  }

  clear(): void {
    this.entries.clear()
  }
}
