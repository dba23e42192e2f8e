import { assert, type Fault, FAULT } from "../../base/index.ts"
import { begin, type Exchange } from "../../flow/index.ts"
import { type Downstream, type Message, NAME, type TunnelEnd } from "../../http/index.ts"
import type { ConnectionInfo } from "../../net/index.ts"
import { askedBy, askForAll, askIfChanged, dropOverrides, fetchFor } from "../fetch-request.ts"
import { DiskHandle } from "../disk-handle.ts"
import type { HeldEntry } from "../held-entry.ts"
import { labelsOf } from "../labels.ts"
import { FieldLines } from "../rules/field-lines.ts"
import { mayServeOnError } from "../rules/reuse.ts"
import type { MemoryEntry } from "../store/contract.ts"
import type { Key } from "../store/key.ts"
import { encodeResponse, StoredResponse } from "../stored.ts"
import type { RouteCache } from "../route-cache.ts"
import { freshenSlice } from "./freshen-slice.ts"
import { IS_SLICE, type JudgedSlice, judgeSlice, type SliceAsked, sliceLines } from "./judge-slice.ts"
import { removeSlices } from "./remove-slices.ts"
import { endsWhatWasThere, isSameRepresentation, type Representation, representationOf } from "./representation.ts"
import { sourceOf } from "./slice-source.ts"
import { SliceFill } from "./slice-fill.ts"
import { type HeldSlice, sliceKey, type SliceResult, type SliceScope } from "./slice-scope.ts"
import { keyForNames, leaveVaryRule, namesThatCount } from "./vary-slices.ts"

/** What is asked about anew; whoever has it gives it back. */
export interface OldSlice {
  readonly entry: HeldEntry
  readonly stored: StoredResponse
}

/** Who wants the slice. Exactly one of these is called, once. */
export interface SliceWant {
  /** It comes. The slice is the wanter's. */
  sliceCame(slice: HeldSlice): void
  /** Something else has come. Whoever takes it has its body from here on; null = it is dropped. */
  otherCame(fetch: SliceFetch, judged: JudgedSlice): Downstream | null
  /** A 304 about something else than what was asked about: it is to be asked for without a condition. */
  nothingSaid(): void
  faulted(fault: Fault, fetch: SliceFetch): void
}

export interface SliceStart {
  /** What others wait for, under the slice's key. */
  readonly writer: MemoryEntry | null
  readonly old: OldSlice | null
  readonly want: SliceWant | null
}

const ASKING = 0
const FILLING = 1
/** The body is somebody else's. */
const HANDED_ON = 2
const DROPPING = 3
const OVER = 4

/** The cache's own request for one slice: an exchange without a client, of which this is the client's side. */
export class SliceFetch implements Downstream {
  readonly cache: RouteCache
  readonly info: ConnectionInfo
  readonly f: Exchange
  readonly asked: SliceAsked
  /** Of the whole. */
  readonly key: Key
  readonly purgesBefore: number
  private writer: MemoryEntry | null
  private old: OldSlice | null
  private want: SliceWant | null
  private fill: SliceFill | null = null
  private heir: Downstream | null = null
  private judged: JudgedSlice | null = null
  private mode = ASKING
  /** Who is told that the disk has given up. */
  readonly keeper: { giveUp(): void } = this

  constructor({ cache, x, key, sliceBytes }: SliceScope, number: number, { writer, old, want }: SliceStart) {
    this.cache = cache
    this.key = key
    this.info = x.down!.info
    this.asked = { ...askedBy(x, cache.time.clock.wall()), number, sliceBytes }
    this.purgesBefore = cache.store.memory.purges(key.groupHash)
    this.writer = writer
    this.old = old
    this.want = want
    const plan = cache.parts.plan.fetch
    assert(plan !== null, "the plan of fetches is made with the route's")
    this.f = fetchFor(x, plan, this)
    dropOverrides(this.f, cache.policy.keyHeaders)
    this.askFor(number * sliceBytes, (number + 1) * sliceBytes - 1)
  }

  /** These octets, as they are: in another coding they would be others each time. */
  private askFor(first: number, last: number): void {
    const { f, old } = this
    if (old === null) askForAll(f)
    else askIfChanged(f, old.stored)
    f.request.remove(NAME.acceptEncoding)
    f.request.append("Range", `bytes=${first}-${last}`)
  }

  run(): void {
    begin(this.f)
  }

  /** Whoever wanted it does not any more. What is asked for is stored, for others. */
  leave(): void {
    this.want = null
  }

  /** It cannot go on, or nobody has any use for it. */
  giveUp(): void {
    if (this.mode === OVER) return
    this.mode = OVER
    this.fill?.fail()
    this.f.onClientGone(FAULT.aborted)
  }

  /** A purge since it began means what it fetches, too. */
  get isPurged(): boolean {
    const { memory } = this.cache.store
    return memory.purging || memory.purges(this.key.groupHash) !== this.purgesBefore
  }

  /** Fields that are not stored: they are for the one who asked (RFC 9111 sections 5.2.2.4, 5.2.2.7). */
  get ownLines(): string {
    if (this.judged === null) return ""
    const { verdict, lines } = this.judged.judged
    if (verdict.withoutFields.length === 0) return ""
    return lines.without(new Set(lines.names.filter(name => !verdict.withoutFields.includes(name)))).render()
  }

  sendInterim(): void {}

  sendHead(m: Message): void {
    const { f, old } = this
    assert(m === f && this.mode === ASKING, "one head a fetch")
    if (f.fault !== null) this.failed(f.fault)
    else if (old !== null && f.status === 304) this.freshen(old)
    else if (old !== null && f.status >= 500 && this.standIn(old)) this.drop()
    else this.judge()
  }

  private takeWant(): SliceWant | null {
    const { want } = this
    this.want = null
    return want
  }

  private judge(): void {
    const { f, cache, asked } = this
    const judged = judgeSlice(cache, asked, { status: f.status, lines: FieldLines.parse(f.response.render()) })
    this.judged = judged
    const before = this.old === null ? null : representationOf(this.old.stored)
    this.dropOld()
    if (judged.kind === IS_SLICE) {
      const stored = this.keep(judged)
      if (before !== null && !isSameRepresentation(before, representationOf(stored))) this.forget(before)
      return
    }
    if (before !== null && endsWhatWasThere(f.status)) this.forget(before)
    // Before others look again: what takes it over is there to be found then.
    this.mode = DROPPING
    const heir = this.takeWant()?.otherCame(this, judged) ?? null
    this.letGo()
    if (heir === null) {
      this.drop()
      return
    }
    this.mode = HANDED_ON
    this.heir = heir
    heir.sendHead(f)
  }

  /** It is what was asked for. */
  private keep({ judged, part }: JudgedSlice): StoredResponse {
    const { cache, asked } = this
    const names = namesThatCount(judged.names)
    const whole = keyForNames(this.key, names, asked.fields)
    if (whole !== this.key) leaveVaryRule(cache, this.key, names)
    const key = sliceKey(whole, asked.number)
    const entry = this.entryFor(key, whole)
    const kept = sliceLines(judged, part!)
    const content = { head: encodeResponse(judged.facts, kept), length: part!.last - part!.first + 1, labels: labelsOf(judged.lines) }
    this.fill = SliceFill.begin(this, entry, key, content)
    this.letGo()
    cache.store.endedWell(key)
    this.mode = FILLING
    const want = this.takeWant()
    const stored = new StoredResponse(judged.facts, kept)
    if (want !== null) want.sliceCame(this.held(whole, stored, this.fill.source(), "miss"))
    else if (this.fill.isDirect) this.giveUp()
    return stored
  }

  /** What was asked about is not there any more. */
  private forget(before: Representation): void {
    const { cache, key, asked } = this
    void removeSlices({ cache, key, sliceBytes: asked.sliceBytes }, before)
  }

  /** Where it is stored; null = nowhere. */
  private entryFor(key: Key, whole: Key): MemoryEntry | null {
    const { writer } = this
    if (writer !== null && whole === this.key) {
      this.writer = null
      return writer
    }
    const entry = this.cache.store.memory.begin(key, true)
    if (entry === null || !this.isPurged) return entry
    entry.release()
    return null
  }

  private held(key: Key, stored: StoredResponse, source: HeldSlice["source"], result: SliceResult): HeldSlice {
    return { number: this.asked.number, key, stored, source, result, fetch: this }
  }

  /** A 304: what is stored holds. */
  private freshen(old: OldSlice): void {
    this.mode = DROPPING
    const fresh = freshenSlice(this, old, this.writer)
    if (fresh === null) {
      this.dropOld()
      const wants = this.takeWant()
      this.letGo()
      wants?.nothingSaid()
      return
    }
    this.writer = fresh.isWritten ? null : this.writer
    this.old = null
    const want = this.takeWant()
    if (want === null) fresh.entry.release()
    else want.sliceCame(this.held(this.key, fresh.stored, sourceOf(fresh.entry), "revalidated"))
    this.letGo()
  }

  /** A stale slice in place of an error (RFC 5861 section 4); false = it may not. */
  private standIn(old: OldSlice): boolean {
    const { cache, want } = this
    const directives = cache.directivesOfFields(this.asked.fields)
    if (want === null || !mayServeOnError(old.stored, directives, cache.time.clock.wall())) return false
    this.old = null
    this.takeWant()!.sliceCame(this.held(this.key, old.stored, sourceOf(old.entry), "stale"))
    this.letGo()
    return true
  }

  private failed(fault: Fault): void {
    this.mode = DROPPING
    this.cache.store.endedEmpty(sliceKey(this.key, this.asked.number), fault)
    if (this.old !== null && this.standIn(this.old)) return
    this.dropOld()
    const want = this.takeWant()
    this.letGo()
    want?.faulted(fault, this)
  }

  /** What is left of the answer is for nobody. */
  private drop(): void {
    this.mode = DROPPING
    this.f.onClientGone(FAULT.aborted)
  }

  /** Whoever waits for the slice looks again. */
  private letGo(): void {
    const { writer } = this
    this.writer = null
    if (writer === null) return
    writer.fail()
    writer.release()
  }

  private dropOld(): void {
    const { old } = this
    this.old = null
    if (old === null) return
    if (!(old.entry instanceof DiskHandle)) (old.entry as MemoryEntry).unclaim()
    old.entry.release()
  }

  // ---- the body

  sendBody(chunk: Uint8Array): boolean {
    if (this.mode === FILLING) return this.fill!.push(chunk)
    return this.mode === HANDED_ON ? this.heir!.sendBody(chunk) : true
  }

  sendText(text: string): boolean {
    return this.sendBody(Buffer.from(text, "latin1"))
  }

  sendEnd(trailers: string): void {
    const { mode } = this
    this.mode = OVER
    if (mode === FILLING) this.fill!.complete()
    else if (mode === HANDED_ON) this.heir!.sendEnd(trailers)
  }

  abort(fault: Fault): void {
    const { mode } = this
    this.mode = OVER
    if (mode === FILLING) this.fill!.fail()
    else if (mode === HANDED_ON) this.heir!.abort(fault)
    else if (mode === ASKING) this.failed(fault)
  }

  flush(): boolean {
    return this.mode === HANDED_ON ? this.heir!.flush() : true
  }

  pauseBody(): void {}

  resumeBody(): void {}

  continueBody(): void {}

  closeAfter(): void {}

  takeTunnel(): TunnelEnd {
    throw new Error("a fetch is no tunnel")
  }
}
