import type { Random } from "../../src/base/index.ts"
import { readRequest, type StrictMessage } from "../support/strict-reader.ts"
import type { Content, Exchanged, FieldMap } from "./cache-model.ts"
import type { CacheWorld } from "./cache-world.ts"
import type { FakeWire } from "./fake-wire.ts"
import { bodyOf, chance, chunked, pick, pieceOf } from "./script.ts"

/** How one URL is answered in a run; single answers may be otherwise. */
export interface Site {
  readonly cacheControl: string
  readonly vary: string
  readonly etag: boolean
  readonly lastModified: boolean
  readonly date: boolean
  readonly setCookie: boolean
  readonly ranges: boolean
  /** Octets of its bodies. */
  readonly length: number
  readonly framing: "length" | "chunked" | "close"
}

const LIFETIMES = ["", "max-age=1", "max-age=5", "max-age=60", "s-maxage=20", "public, max-age=60", "no-cache", "no-store", "private, max-age=60"]
const MORE = ["", "", "", ", must-revalidate", ", stale-while-revalidate=30", ", stale-if-error=60", ", stale-while-revalidate=5, stale-if-error=30"]

export function randomSite(random: Random, largeMax: number): Site {
  const lifetime = pick(random, LIFETIMES)
  return {
    cacheControl: lifetime + (lifetime === "" ? "" : pick(random, MORE)),
    vary: pick(random, ["", "", "", "x-a", "*"]),
    etag: chance(random, 0.6),
    lastModified: chance(random, 0.4),
    date: chance(random, 0.5),
    setCookie: chance(random, 0.15),
    ranges: chance(random, 0.5),
    length: pick(random, [0, 7, 100, 3000, largeMax]),
    framing: pick(random, ["length", "length", "chunked", "close"]),
  }
}

/** Sites that give parts, and know when what they give is the same. */
export function partsSite(random: Random, largeMax: number): Site {
  const site = randomSite(random, largeMax)
  return {
    ...site,
    cacheControl: pick(random, ["max-age=5", "max-age=60"]),
    ranges: true,
    etag: true,
    vary: "",
    length: pick(random, [30, 100, 3000]),
  }
}

/** The shortest lifetime at calm sites. */
const CALM_LIFETIME_MIN_MS = 5000

/** What cacheable sites are like whose answers are all well. */
export function calmSite(random: Random, largeMax: number): Site {
  const site = randomSite(random, largeMax)
  // With a tag also what is stale as it comes is of use.
  const cacheControl = pick(random, ["max-age=5", "max-age=60", "public, max-age=600"])
  return { ...site, cacheControl, etag: true, vary: "", setCookie: false, framing: "length" }
}

function dateOf(ms: number): string {
  return new Date(ms).toUTCString()
}

/** All origins of a run together: what each URL gives now, and everything that was ever asked and answered. */
export class CacheOrigins {
  readonly startMs: number
  readonly journal: Exchanged[] = []
  readonly sites: Readonly<Record<string, Site>>
  /** The number of the latest thing that happened: what is seen later has a greater one. */
  seq = 0
  /** When something last went wrong between the proxy and an origin. */
  troubleAt = -1
  readonly problems: string[] = []
  /** Called when an unsafe request has been answered well. */
  changed: (path: string) => void = () => {}
  private readonly contents = new Map<string, Content>()
  private readonly world: CacheWorld
  private readonly random: Random

  constructor(world: CacheWorld, random: Random, sites: Readonly<Record<string, Site>>) {
    this.world = world
    this.random = random
    this.sites = sites
    this.startMs = world.clock.wall()
  }

  get now(): number {
    return this.world.clock.wall()
  }

  trouble(): void {
    this.troubleAt = this.now
  }

  /** What this request gets now. */
  contentFor(path: string, request: FieldMap): Content {
    const site = this.sites[path]!
    const kind = `${path} ${site.vary === "x-a" ? request["x-a"] : ""} ${site.cacheControl.includes("private") ? request["x-user"] : ""}`
    const known = this.contents.get(kind)
    if (known !== undefined && chance(this.random, 0.7)) return known
    const version = this.contents.size === 0 ? 1 : ++this.seq
    const id = `${path.slice(1)}v${version}-${request["x-user"]}`
    const content = {
      id,
      length: site.length,
      etag: site.etag ? `"${id}"` : "",
      lastModified: site.lastModified ? dateOf(this.startMs - 200_000 + version * 1000) : "",
    }
    this.contents.set(kind, content)
    return content
  }

  read(message: StrictMessage): Exchanged {
    const request = Object.fromEntries(message.fields)
    const exchanged: Exchanged = {
      n: this.journal.length,
      asker: request["x-id"] ?? "",
      path: message.target,
      method: message.method,
      request,
      readAt: this.now,
      readSeq: ++this.seq,
      status: 0,
      response: {},
      headAt: -1,
      headSeq: -1,
      content: null,
    }
    this.journal.push(exchanged)
    return exchanged
  }
}

type Ending = "keep" | "fin" | "reset"

/** One connection of an origin: reads strictly, answers as its site does, and sometimes badly. */
export class CacheOrigin {
  readonly wire: FakeWire
  private readonly all: CacheOrigins
  private readonly random: Random
  private readonly calm: boolean
  private at = 0
  private out = ""
  private headLeft = 0
  private current: Exchanged | null = null
  private ending: Ending = "keep"
  /** What is being sent is no answer, or not a whole one. */
  private isBad = false

  constructor(wire: FakeWire, all: CacheOrigins, random: Random, calm: boolean) {
    this.wire = wire
    this.all = all
    this.random = random
    this.calm = calm
  }

  /** The path of the request that is being answered, "" = none. */
  get busyWith(): string {
    return this.current === null || this.wire.closed ? "" : this.current.path
  }

  /** What is being answered was asked for behind `seq`. */
  isFor(seq: number): boolean {
    return this.current !== null && Number(this.current.request["x-seq"]) > seq
  }

  /** Sends what is left of an answer that has begun. */
  finish(): void {
    while (this.current !== null && this.current.headAt >= 0 && this.sendPiece(true));
  }

  /** The user's request that made the proxy ask what is being answered. */
  get asker(): string {
    return this.current?.asker ?? ""
  }

  /** Does one thing; false when there is nothing to do. `soon`: everything that is left, and well. */
  step(soon: boolean): boolean {
    const { wire } = this
    if (wire.closed) return false
    if (this.out !== "") return this.sendPiece(soon)
    if (this.ending !== "keep") return this.leave()
    const reading = readRequest(wire.sent, this.at)
    if (reading.is === "bad") {
      this.all.problems.push(`an origin got ${reading.why}`)
      wire.reset()
      return true
    }
    if (reading.is === "partial") return false
    this.at = reading.end
    this.current = this.all.read(reading.message)
    this.answer(this.current, soon)
    return true
  }

  private sendPiece(soon: boolean): boolean {
    const { wire, all, current } = this
    if (!wire.listening) return false
    const isLate = this.calm && all.now - Number(current?.request["x-at"]) >= CALM_LIFETIME_MIN_MS
    const piece = soon || isLate ? this.out : pieceOf(this.random, this.out)
    this.out = this.out.slice(piece.length)
    const isHead = this.headLeft > 0 && this.headLeft <= piece.length
    this.headLeft -= piece.length
    if (isHead && current!.headAt < 0) {
      current!.headAt = all.now
      current!.headSeq = ++all.seq
    }
    if (this.out === "" && this.ending === "keep") this.current = null
    if (this.isBad) all.trouble()
    wire.deliver(piece)
    if (isHead && !["GET", "HEAD"].includes(current!.method) && current!.status < 400) all.changed(current!.path)
    return true
  }

  private leave(): boolean {
    this.current = null
    if (this.isBad || this.ending === "reset") this.all.trouble()
    if (this.ending === "reset") {
      this.wire.reset()
    } else if (!this.wire.listening) return false
    else {
      this.wire.fin()
      if (!this.wire.closed) this.wire.reset()
    }
    return true
  }

  private answer(exchanged: Exchanged, soon: boolean): void {
    const { random } = this
    const trouble = soon || this.calm ? 99 : random.below(25)
    if (trouble === 0) {
      this.ending = "reset"
      return
    }
    if (trouble === 1) {
      this.isBad = true
      this.out = "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"
      this.ending = "fin"
      return
    }
    this.out = this.whole(exchanged, trouble)
    this.headLeft = this.out.indexOf("\r\n\r\n") + 4
    this.isBad = exchanged.status >= 500
    if (trouble !== 4 || this.out.length < 10) return
    // It ends somewhere, and not well.
    this.isBad = true
    this.out = this.out.slice(0, 1 + random.below(this.out.length - 2))
    this.ending = this.ending === "fin" ? "reset" : pick(random, ["fin", "reset"])
  }

  private whole(exchanged: Exchanged, trouble: number): string {
    const { all } = this
    const { path, method, request } = exchanged
    const site = all.sites[path]!
    if (method !== "GET" && method !== "HEAD") return this.write(exchanged, 200, {}, "done")
    if (trouble === 2) return this.write(exchanged, 503, { "cache-control": "no-store" }, "sorry")
    if (trouble === 3) return this.write(exchanged, 404, { "cache-control": site.cacheControl }, "nothing")
    const content = all.contentFor(path, request)
    const fields = this.fieldsOf(site, content)
    if (isUnchanged(request, content)) return this.write(exchanged, 304, { ...fields, "x-v": String(exchanged.n) }, "")
    exchanged.content = content
    const body = bodyOf(content.id, content.length)
    // It says something of what is stored, and is not stored itself.
    if (method === "HEAD") return this.write(exchanged, 200, { ...fields, "x-v": String(exchanged.n) }, body)
    const answered = { ...fields, "x-r": String(exchanged.n) }
    const range = site.ranges && method === "GET" ? rangeOf(request, content) : null
    if (range === null) return this.write(exchanged, 200, answered, body)
    const [first, last] = range
    return this.write(exchanged, 206, { ...answered, "content-range": `bytes ${first}-${last}/${content.length}` }, body.slice(first, last + 1))
  }

  private fieldsOf(site: Site, content: Content): Record<string, string> {
    const { random, all } = this
    const fields: Record<string, string> = {}
    if (site.cacheControl !== "") fields["cache-control"] = site.cacheControl
    if (site.vary !== "") fields.vary = site.vary
    if (content.etag !== "") fields.etag = content.etag
    if (content.lastModified !== "") fields["last-modified"] = content.lastModified
    if (site.date) fields.date = dateOf(all.now)
    if (site.setCookie && !this.calm) fields["set-cookie"] = `sid=${all.seq}`
    if (!this.calm && chance(random, 0.1)) fields.age = String(random.below(4))
    return fields
  }

  private write(exchanged: Exchanged, status: number, fields: Record<string, string>, body: string): string {
    const { all, random } = this
    exchanged.status = status
    exchanged.response = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""))
    const lines = Object.entries(exchanged.response).map(([name, value]) => `${name}: ${value}\r\n`)
    const head = `HTTP/1.1 ${status} S\r\n${lines.join("")}`
    const { framing } = all.sites[exchanged.path]!
    const bodiless = exchanged.method === "HEAD" || status === 304
    if (framing === "chunked") return `${head}Transfer-Encoding: chunked\r\n\r\n${bodiless ? "" : chunked(random, body, "")}`
    if (framing === "close" && !bodiless) {
      this.ending = "fin"
      return `${head}\r\n${body}`
    }
    return status === 304 ? `${head}\r\n` : `${head}Content-Length: ${body.length}\r\n\r\n${bodiless ? "" : body}`
  }
}

function isUnchanged(request: FieldMap, { etag, lastModified }: Content): boolean {
  const tags = request["if-none-match"]
  if (tags !== undefined) return etag !== "" && tags.split(", ").includes(etag)
  return lastModified !== "" && request["if-modified-since"] === lastModified
}

/** First and last octet of a range that is asked for and there; null = the whole. */
export function rangeOf(request: FieldMap, { length, etag, lastModified }: Content): readonly [number, number] | null {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.range ?? "")
  if (match === null || Number(match[1]) >= length) return null
  const condition = request["if-range"]
  if (condition !== undefined && condition !== etag && condition !== lastModified) return null
  return [Number(match[1]), match[2] === "" ? length - 1 : Math.min(Number(match[2]), length - 1)]
}
