import type { Random } from "../../src/base/index.ts"
import { readResponse } from "../support/strict-reader.ts"
import type { CacheJudge } from "./cache-judge.ts"
import type { Asked } from "./cache-model.ts"
import type { CacheOrigins } from "./cache-origin.ts"
import type { FakeWire } from "./fake-wire.ts"
import { chance, pick } from "./script.ts"

const WISHES = ["no-cache", "no-store", "max-age=0", "max-age=3", "min-fresh=3", "max-stale", "max-stale=5", "only-if-cached", "stale-if-error=20"]

/** How often users do what, 0 to 1. */
export interface Habits {
  /** Ask for something in Cache-Control. */
  readonly wish: number
  /** Ask for a part. */
  readonly range: number
  /** Use another method than GET. */
  readonly change: number
}

/** Somebody who asks for random things, one after the other on one connection, and has every answer judged. */
export class CacheUser {
  readonly wire: FakeWire
  private readonly name: string
  private readonly random: Random
  private readonly origins: CacheOrigins
  private readonly judge: CacheJudge
  private readonly habits: Habits | null
  private asked: Asked | null = null
  private at = 0
  private count = 0
  private gone = false

  /** `habits` null = asks for nothing but GET. */
  constructor(wire: FakeWire, name: string, parts: { random: Random; origins: CacheOrigins; judge: CacheJudge; habits: Habits | null }) {
    this.wire = wire
    this.name = name
    this.random = parts.random
    this.origins = parts.origins
    this.judge = parts.judge
    this.habits = parts.habits
  }

  get isGone(): boolean {
    return this.gone || this.wire.closed
  }

  get waits(): boolean {
    return this.asked !== null
  }

  /** Sends a request; false = the last one is still being answered, or the connection is gone. */
  ask(paths: readonly string[]): boolean {
    if (this.waits || this.gone || !this.wire.listening || this.wire.finished) return false
    const { random, name } = this
    const method = chance(random, this.habits?.change ?? 0) ? pick(random, ["HEAD", "POST", "DELETE"]) : "GET"
    const path = pick(random, paths)
    const seq = ++this.origins.seq
    const request: Record<string, string> = {
      "x-id": `${name}-${this.count++}`,
      "x-user": name.split(".")[0]!,
      "x-seq": String(seq),
      "x-at": String(this.origins.now),
    }
    if (this.habits !== null) this.decorate(request, path, method)
    this.asked = { id: request["x-id"]!, path, method, request, at: this.origins.now, seq }
    const lines = Object.entries(request).map(([key, value]) => `${key}: ${value}\r\n`)
    this.wire.deliver(`${method} ${path} HTTP/1.1\r\nhost: a.test\r\n${lines.join("")}${method === "POST" ? "content-length: 0\r\n" : ""}\r\n`)
    return true
  }

  private decorate(request: Record<string, string>, path: string, method: string): void {
    const { random, origins } = this
    const { wish, range } = this.habits!
    if (chance(random, 0.4)) request["x-a"] = pick(random, ["1", "2"])
    if (chance(random, 0.15)) request.authorization = `Basic ${request["x-user"]}`
    if (chance(random, 0.2)) request.cookie = `u=${request["x-user"]}`
    if (chance(random, wish)) request["cache-control"] = pick(random, WISHES)
    if (method === "GET" && chance(random, range)) {
      const { length } = origins.sites[path]!
      const first = random.below(length + 2)
      request.range = `bytes=${first}-${chance(random, 0.5) ? "" : first + random.below(length + 1)}`
    }
    if (chance(random, 0.15)) {
      const known = origins.journal.findLast(exchanged => exchanged.path === path && exchanged.content !== null)?.content
      if (known && known.etag !== "") request["if-none-match"] = known.etag
      else if (known && known.lastModified !== "") request["if-modified-since"] = known.lastModified
    }
  }

  hangUp(): void {
    this.gone = true
    if (!this.wire.closed) this.wire.reset()
  }

  /** Reads what has come; returns what is wrong with it. `settled`: everything that can come has come. */
  look(settled = false): string[] {
    const found: string[] = []
    const { wire } = this
    while (this.asked !== null) {
      const reading = readResponse(wire.sent, this.at, this.asked.method, wire.finished && !wire.terminated && !this.gone)
      if (reading.is === "bad") return [`${this.asked.id}: ${reading.why} in ${JSON.stringify(wire.sent.slice(this.at, this.at + 300))}`]
      if (reading.is === "partial") {
        if (reading.head !== null) found.push(...this.judge.problems(this.asked, { ...reading.head, body: reading.body ?? "" }, false))
        if (settled && !wire.closed && !wire.finished)
          found.push(`${this.asked.id}: no answer, but ${JSON.stringify(wire.sent.slice(this.at, this.at + 200))}`)
        return found
      }
      this.at = reading.end
      if (reading.message.status < 200) continue
      found.push(...this.judge.problems(this.asked, reading.message, true))
      this.asked = null
    }
    if (this.at < wire.sent.length)
      found.push(`${this.name}: octets that nobody asked for: ${JSON.stringify(wire.sent.slice(this.at, this.at + 200))}`)
    return found
  }
}
