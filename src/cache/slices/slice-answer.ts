import { type Fault, FAULT } from "../../base/index.ts"
import { type Exchange, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter } from "../../flow/index.ts"
import { type ByteRange, type Downstream, NAME } from "../../http/index.ts"
import { WHOLE_BYTES_MAX } from "../answer.ts"
import { EntryReader } from "../entry-reader.ts"
import { EntrySource } from "../entry-source.ts"
import { tellWay } from "../fetch-request.ts"
import { Fetch } from "../fetch.ts"
import { ttlSeconds } from "../rules/reuse.ts"
import type { Key } from "../store/key.ts"
import { IS_WHOLE, type JudgedSlice, NEVER_SLICES } from "./judge-slice.ts"
import { removeSlices } from "./remove-slices.ts"
import { isLeftOver, isSameRepresentation, type Representation, representationOf } from "./representation.ts"
import type { SliceFetch } from "./slice-fetch.ts"
import { replyTo, setSliceHead, type SliceReply } from "./slice-head.ts"
import { SliceRun } from "./slice-run.ts"
import type { HeldSlice, SliceScope } from "./slice-scope.ts"
import { SliceSeek, type SliceTaker } from "./slice-seek.ts"
import type { Slices } from "./slices.ts"

/**
 * One request that is answered from slices. It gets the slice that the request begins with, or slice 0 where that is not known without the length; that slice's head
 * says what the answer is.
 */
export class SliceAnswer implements Waiter, SliceTaker {
  private readonly slices: Slices
  private readonly x: Exchange
  private readonly key: Key
  private readonly looks: number
  private readonly scope: SliceScope
  private readonly anchor: number
  private seek: SliceSeek | null = null
  /** What the slice that came first is of. */
  private of: Representation | null = null
  private isHit = false
  private restarted = false

  constructor(slices: Slices, x: Exchange, key: Key, looks: number) {
    const { cache, sliceBytes, known } = slices
    const { clock } = cache.time
    this.slices = slices
    this.x = x
    this.key = key
    this.looks = looks
    this.scope = {
      cache,
      x,
      sliceBytes,
      known,
      directives: cache.directivesOf(x),
      refused: null,
      sinceMs: clock.wall() - Math.max(0, clock.now() - x.startedAt),
      key,
    }
    this.anchor = slices.anchorOf(x)
  }

  begin(): Verdict {
    this.x.waiter = this
    this.find(this.anchor)
    return WAIT
  }

  private find(number: number): void {
    this.seek = new SliceSeek(this.scope, number, this)
    this.seek.begin()
  }

  /** The client is gone. */
  cancel(): void {
    this.seek?.cancel()
  }

  took(slice: HeldSlice): void {
    const { scope } = this
    const its = representationOf(slice.stored)
    scope.key = slice.key
    if (this.of === null) {
      this.of = its
      this.isHit = wasStored(slice)
    } else if (!isSameRepresentation(its, this.of)) {
      slice.source.release()
      if (slice.fetch === null && isLeftOver(its, this.of) && scope.refused === null) {
        scope.refused = its
        void removeSlices(scope, its)
        this.find(slice.number)
      } else this.beginAgain()
      return
    }
    const reply = replyTo(this.x, slice.stored, scope.cache.time.clock.wall())
    const number = Math.floor(reply.range.first / scope.sliceBytes)
    if (slice.number === number || reply.range.last < 0) {
      this.answer(slice, reply)
      return
    }
    slice.source.release()
    this.find(number)
  }

  /** Nothing has left yet: what was there of the old representation goes, and the new one is answered with. */
  private beginAgain(): void {
    const { scope } = this
    scope.refused = this.of
    void removeSlices(scope, this.of!)
    if (this.restarted) {
      this.missed(FAULT.malformedResponse, null)
      return
    }
    this.restarted = true
    this.of = null
    this.find(this.anchor)
  }

  private answer(slice: HeldSlice, reply: SliceReply): void {
    const { x, scope, of } = this
    const { cache, sliceBytes } = scope
    const { range } = reply
    const last = Math.floor(range.last / sliceBytes)
    const isHit = this.isHit && wasStored(slice) && (range.last < 0 || this.slices.areStored(scope.key, slice.number + 1, last))
    setSliceHead(cache, x, slice.stored, reply)
    x.cacheResult = isHit || slice.result === "coalesced" ? slice.result : "miss"
    if (slice.fetch !== null) {
      tellWay(slice.fetch.f, x)
      if (reply.status === 200 || reply.status === 206) x.response.extra += slice.fetch.ownLines
    }
    if (cache.policy.status) x.cacheStatus = statusOf(slice, isHit, cache.time.clock.wall())
    if (range.last < 0) slice.source.release()
    else if (!leavesWithHead(x, slice, range, sliceBytes))
      x.up = new EntryReader(x, new SliceRun(scope, of!, slice, range.last), range.first, range.last + 1)
    x.step = x.plan!.respondAt - 1
    resume(x, NEXT)
  }

  /** Not a slice: what came is answered with as it is, or it is as if nobody had asked for slices. */
  otherCame(fetch: SliceFetch, judged: JudgedSlice): Downstream | null {
    const { status } = fetch.f
    if (this.of !== null) {
      // It was in slices a moment ago.
      this.beginAgain()
      return null
    }
    const isOther = this.isOfAnotherCoding(judged)
    if (judged.kind === NEVER_SLICES || isOther) this.slices.noteNone(this.key)
    const isTheirs = status === 416 ? this.asksBehindEnd() : status !== 206 || (judged.kind === IS_WHOLE && !isOther)
    if (isTheirs) return this.handOver(fetch, !isOther || status !== 200)
    this.goOn(this.slices.cache.missWhole(this.x, this.key, this.looks, true))
    return null
  }

  /** What is not there of the slice is not there of the client's range either: unless it asks for none, or by If-Range perhaps for the whole. */
  private asksBehindEnd(): boolean {
    const { request } = this.x
    return request.has(NAME.range) && !request.has(NAME.ifRange) && this.slices.firstOf(this.x) >= 0
  }

  /** With Accept-Encoding, which requests for slices do not have, it might have been another. */
  private isOfAnotherCoding({ judged }: JudgedSlice): boolean {
    return this.x.request.has(NAME.acceptEncoding) && judged.names.includes("accept-encoding")
  }

  /** The answer is for the client, and for the store if the rules say so, as any other. `keeps` false = for the client only. */
  private handOver(fetch: SliceFetch, keeps: boolean): Downstream | null {
    const { x, key } = this
    const { cache } = this.slices
    const { f, asked, purgesBefore } = fetch
    const coalesces = keeps && cache.policy.coalesceMs > 0 && (f.status === 200 || f.status === 206 || !x.request.has(NAME.range))
    const writer = coalesces ? cache.store.memory.begin(key, true) : null
    if (coalesces && writer === null && !fetch.isPurged) {
      // Somebody else has got the whole by now, or is at it.
      this.othersFailed()
      return null
    }
    // A purge has doomed what others wait for under the slice's key, but not this.
    const isPurged = writer !== null && fetch.isPurged
    if (isPurged) writer.release()
    const known = { ...asked, hasPart: f.status === 206 }
    return Fetch.adopt(cache, x, key, { writer: isPurged ? null : writer, f, asked: known, purgesBefore, keeps })
  }

  othersFailed(): void {
    this.goOn(this.slices.cache.lookUp(this.x, this.key, this.looks + 1))
  }

  private goOn(verdict: Verdict): void {
    if (verdict !== WAIT) resume(this.x, verdict)
  }

  missed(fault: Fault, fetch: SliceFetch | null): void {
    const { x } = this
    if (fetch !== null) tellWay(fetch.f, x)
    x.fault = fault
    x.replyFields = fetch === null ? "" : fetch.f.replyFields
    x.cacheResult = "miss"
    x.cacheReason = fault === FAULT.notCached ? "only-if-cached" : "error"
    resume(x, FAULT_VERDICT)
  }
}

function wasStored({ result }: HeldSlice): boolean {
  return result === "hit" || result === "stale" || result === "revalidated"
}

/** A few octets of one slice leave together with the head, straight from the store. False = they are to be read piece by piece. */
function leavesWithHead(x: Exchange, { number, source }: HeldSlice, { first, last }: ByteRange, sliceBytes: number): boolean {
  const length = last - first + 1
  if (length > WHOLE_BYTES_MAX || !(source instanceof EntrySource)) return false
  const body = source.piece(first - number * sliceBytes, length)
  if (body.length !== length) return false
  x.localBody = body
  x.cached = source
  return true
}

function statusOf({ result, fetch, stored }: HeldSlice, isHit: boolean, nowMs: number): string {
  if (isHit) return result === "revalidated" ? "; fwd=stale; fwd-status=304; stored" : `; hit; ttl=${ttlSeconds(stored, nowMs)}`
  if (fetch !== null) return `; fwd=partial; fwd-status=${fetch.f.status}; stored`
  return result === "coalesced" ? "; fwd=partial; collapsed" : "; fwd=partial"
}
