// HOT
import { randomBytes } from "node:crypto"
import { assert, type Clock, systemClock } from "../base/index.ts"
import { TALLY, TALLY_KINDS, TALLY_WORDS } from "./slot-words.ts"

/*
 * One SharedArrayBuffer for all threads, counted in 32-bit words:
 *
 *   0                     head, one line of 16 words: magic, slotsMax, workersMax, -, start of the epoch (64-bit float), -, -, the instance's secret (8 words)
 *   16                    slots, five lines of 64 octets each, so that two peers never share a cache line; slot-words.ts says what the
 *                         lines behind the first are for
 *   16 + 80 * slotsMax    tallies by worker: for each worker a row of slotsMax words for each kind, written by that worker alone
 *
 * The rows say what a worker still held when it died, so that its share can be taken back.
 *
 * Times are tenths of a second since the start of the epoch, from the wall clock: the only clock that all threads share (the monotonic one
 * starts anew in each thread). A step forward ends an ejection early; a step back is noticed because an ejection stores how long it was for.
 */
const MAGIC = 0x42_57_50_31
const HEAD_WORDS = 16
const SLOT_WORDS = 80
const EPOCH_OCTET = 16
const SECRET_OCTET = 32
const SECRET_OCTETS = 32

// Words of a slot's first line. 13 to 15 are free.
const IN_FLIGHT = TALLY_WORDS[TALLY.inFlight]!
const GATE = 1
const FAILURES = 2
const EJECTIONS = 3
const EJECTED_UNTIL = 4
const EJECTED_FOR = 5
const TRIAL_UNTIL = 6
const REQUESTS = 7 // low word, high word
const FAILED = 9 // low word, high word
const EJECTED_TOTAL = 11
const CAME_BACK = 12

/** Nothing is known yet; counts as available. */
export const HEALTH_UNKNOWN = 0
export const HEALTH_UP = 1
export const HEALTH_DOWN = 2
export type Health = 0 | 1 | 2

const HEALTH_BITS = 3
const DRAINING_BIT = 4
/** Beside the draining bit: whoever has a session there may still come. */
const SESSIONS_BIT = 8
const CLOSED_BITS = HEALTH_DOWN | DRAINING_BIT

/** How long a trial request holds off others when nothing is heard of it, in tenths of a second. */
const TRIAL_TENTHS_MAX = 100

/** What all threads know of all peers. Every method is one or a few atomic operations on one cache line; none allocates. */
export class PeerStates {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array
  readonly slotsMax: number
  readonly workersMax: number
  private readonly epoch: number
  private readonly clock: Clock
  private readonly row: number

  private constructor(buffer: SharedArrayBuffer, worker: number, clock: Clock) {
    this.buffer = buffer
    this.words = new Int32Array(buffer)
    this.slotsMax = this.words[1]!
    this.workersMax = this.words[2]!
    this.epoch = new Float64Array(buffer, EPOCH_OCTET, 1)[0]!
    this.clock = clock
    this.row = this.rowOf(worker)
  }

  /** Makes the buffer; the control thread does this once. It counts as worker 0, which workers must not use. */
  static create(slotsMax = 8192, workersMax = 129, clock = systemClock): PeerStates {
    assert(slotsMax > 0 && workersMax > 0, "peer states need a slot and a worker")
    const words = HEAD_WORDS + SLOT_WORDS * slotsMax + workersMax * slotsMax * TALLY_KINDS
    const buffer = new SharedArrayBuffer(words * 4)
    const head = new Int32Array(buffer)
    head[1] = slotsMax
    head[2] = workersMax
    new Float64Array(buffer, EPOCH_OCTET, 1)[0] = clock.wall()
    new Uint8Array(buffer, SECRET_OCTET, SECRET_OCTETS).set(randomBytes(SECRET_OCTETS))
    head[0] = MAGIC
    return new PeerStates(buffer, 0, clock)
  }

  /** Uses a buffer that another thread made. `worker` is 1 to workersMax - 1 and belongs to this thread alone; with 0 its dead are not told apart. */
  static attach(buffer: SharedArrayBuffer, worker = 0, clock = systemClock): PeerStates {
    const head = new Int32Array(buffer, 0, HEAD_WORDS)
    assert(head[0] === MAGIC, "not a buffer of peer states")
    assert(worker >= 0 && worker < head[2]!, "worker number is out of range")
    return new PeerStates(buffer, worker, clock)
  }

  /** 32 random octets that all threads of this process know, and nobody else. A copy. */
  secret(): Uint8Array {
    return new Uint8Array(this.buffer, SECRET_OCTET, SECRET_OCTETS).slice()
  }

  /** Tenths of a second since the epoch, at least 1. */
  now(): number {
    const tenths = Math.floor((this.clock.wall() - this.epoch) / 100) + 1
    return tenths > 1 ? tenths : 1
  }

  // Requests in flight

  inFlight(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + IN_FLIGHT)
  }

  /** A request goes to the peer. After an ejection has run out the first one to call this is the trial that the others wait for. */
  begin(slot: number): void {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    Atomics.add(this.words, base + IN_FLIGHT, 1)
    this.words[this.row + slot]!++
    this.began(base)
  }

  /** The same when the peer has fewer than `max` requests in flight. */
  tryBegin(slot: number, max: number): boolean {
    if (!this.tryTake(slot, TALLY.inFlight, max)) return false
    this.began(HEAD_WORDS + slot * SLOT_WORDS)
    return true
  }

  private began(base: number): void {
    this.count(base + REQUESTS)
    if (Atomics.load(this.words, base + EJECTED_UNTIL) !== 0) this.claimTrial(base)
  }

  /** The request is over, whatever came of it. Exactly once for each `begin`. */
  finish(slot: number): void {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    this.words[this.row + slot]!--
    const before = Atomics.sub(this.words, base + IN_FLIGHT, 1)
    assert(before > 0, "a request ended that never began")
    // A trial that ended without a verdict (the client left) must not hold off the next one.
    if (before === 1 && Atomics.load(this.words, base + EJECTED_UNTIL) !== 0) Atomics.store(this.words, base + TRIAL_UNTIL, 0)
  }

  /** Takes back what a dead worker had in flight. Control thread only, after the worker's end. */
  forgetWorker(worker: number): void {
    const row = this.rowOf(worker)
    for (let cell = 0; cell < TALLY_KINDS * this.slotsMax; cell++) {
      const held = this.words[row + cell]!
      if (held === 0) continue
      this.words[row + cell] = 0
      Atomics.sub(this.words, this.wordOf(cell % this.slotsMax) + TALLY_WORDS[Math.floor(cell / this.slotsMax)]!, held)
    }
  }

  private rowOf(worker: number): number {
    return HEAD_WORDS + SLOT_WORDS * this.slotsMax + worker * this.slotsMax * TALLY_KINDS
  }

  // Tallies: what workers hold now, exact over all of them; `kind` is one of TALLY

  tally(slot: number, kind: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + TALLY_WORDS[kind]!)
  }

  take(slot: number, kind: number): void {
    Atomics.add(this.words, HEAD_WORDS + slot * SLOT_WORDS + TALLY_WORDS[kind]!, 1)
    this.words[this.row + kind * this.slotsMax + slot]!++
  }

  /** Takes one when fewer than `max` are taken; of workers that want the last one at the same time one gets it. */
  tryTake(slot: number, kind: number, max: number): boolean {
    const word = HEAD_WORDS + slot * SLOT_WORDS + TALLY_WORDS[kind]!
    let seen = Atomics.load(this.words, word)
    while (seen < max) {
      const was = Atomics.compareExchange(this.words, word, seen, seen + 1)
      if (was === seen) {
        this.words[this.row + kind * this.slotsMax + slot]!++
        return true
      }
      seen = was
    }
    return false
  }

  /** Exactly once for each `take`. */
  give(slot: number, kind: number): void {
    this.words[this.row + kind * this.slotsMax + slot]!--
    const before = Atomics.sub(this.words, HEAD_WORDS + slot * SLOT_WORDS + TALLY_WORDS[kind]!, 1)
    assert(before > 0, "what is given back was taken")
  }

  /** How many this worker holds of it. */
  own(slot: number, kind: number): number {
    return this.words[this.row + kind * this.slotsMax + slot]!
  }

  // Availability

  /** Not down, not draining, not ejected; open for one trial when an ejection has run out. */
  isAvailable(slot: number): boolean {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    if ((Atomics.load(this.words, base + GATE) & CLOSED_BITS) !== 0) return false
    const until = Atomics.load(this.words, base + EJECTED_UNTIL)
    if (until === 0) return true
    const now = this.now()
    return this.hasRunOut(base, until, now) && Atomics.load(this.words, base + TRIAL_UNTIL) <= now
  }

  health(slot: number): Health {
    return (Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + GATE) & HEALTH_BITS) as Health
  }

  /** Control thread only. */
  setHealth(slot: number, health: Health): void {
    const word = HEAD_WORDS + slot * SLOT_WORDS + GATE
    const gate = Atomics.load(this.words, word)
    if ((gate & HEALTH_BITS) === HEALTH_DOWN && health !== HEALTH_DOWN) this.cameBack(slot)
    Atomics.store(this.words, word, (gate & ~HEALTH_BITS) | health)
  }

  isDraining(slot: number): boolean {
    return (Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + GATE) & DRAINING_BIT) !== 0
  }

  /** A draining peer finishes what it has and gets nothing new, but for whoever has a session there when `sessions`. Control thread only. */
  setDraining(slot: number, draining: boolean, sessions = false): void {
    const word = HEAD_WORDS + slot * SLOT_WORDS + GATE
    if (draining) {
      Atomics.or(this.words, word, sessions ? DRAINING_BIT | SESSIONS_BIT : DRAINING_BIT)
      if (!sessions) Atomics.and(this.words, word, ~SESSIONS_BIT)
    } else if (this.isDraining(slot)) {
      this.cameBack(slot)
      Atomics.and(this.words, word, ~(DRAINING_BIT | SESSIONS_BIT))
    }
  }

  /** The same for a request of somebody who has a session there: a peer that drains may take that. */
  takesSessions(slot: number): boolean {
    const gate = Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + GATE)
    if ((gate & CLOSED_BITS) === 0) return this.isAvailable(slot)
    return (gate & CLOSED_BITS) === DRAINING_BIT && (gate & SESSIONS_BIT) !== 0 && !this.isEjected(slot)
  }

  /** When the peer began to take requests again, or for the first time beside others; 0 = it has from the start. In tenths, as `now`. */
  cameBackAt(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + CAME_BACK)
  }

  /** It begins to take requests now: slow start counts from here. */
  cameBack(slot: number): void {
    Atomics.store(this.words, HEAD_WORDS + slot * SLOT_WORDS + CAME_BACK, this.now())
  }

  // Passive ejection; the rules are in ejection.ts

  /** Ejected now, the time has not run out. */
  isEjected(slot: number): boolean {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    const until = Atomics.load(this.words, base + EJECTED_UNTIL)
    return until !== 0 && !this.hasRunOut(base, until, this.now())
  }

  /** The word as it stands, 0 = not ejected and not on trial. */
  ejectedUntil(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + EJECTED_UNTIL)
  }

  /** Ejections in a row, with no success between them. */
  ejections(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + EJECTIONS)
  }

  failures(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + FAILURES)
  }

  /** Counts a failure; returns how many came in a row, this one included, over all workers. */
  addFailure(slot: number): number {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    this.count(base + FAILED)
    return Atomics.add(this.words, base + FAILURES, 1) + 1
  }

  /** The next ejection is the first one again. */
  forgetEjections(slot: number): void {
    const word = HEAD_WORDS + slot * SLOT_WORDS + EJECTIONS
    if (Atomics.load(this.words, word) !== 0) Atomics.store(this.words, word, 0)
  }

  clearFailures(slot: number): void {
    const word = HEAD_WORDS + slot * SLOT_WORDS + FAILURES
    if (Atomics.load(this.words, word) !== 0) Atomics.store(this.words, word, 0)
  }

  /** Ejects for `tenths`, if the word still is `seen`: of several threads that want the same, one wins. */
  eject(slot: number, seen: number, tenths: number): boolean {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    const until = this.now() + tenths
    if (Atomics.compareExchange(this.words, base + EJECTED_UNTIL, seen, until) !== seen) return false
    Atomics.store(this.words, base + EJECTED_FOR, tenths)
    Atomics.store(this.words, base + TRIAL_UNTIL, 0)
    Atomics.store(this.words, base + FAILURES, 0)
    Atomics.add(this.words, base + EJECTIONS, 1)
    Atomics.add(this.words, base + EJECTED_TOTAL, 1)
    return true
  }

  /** Takes an ejection back as if it had not been. */
  undoEject(slot: number, seen: number): void {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    Atomics.sub(this.words, base + EJECTIONS, 1)
    Atomics.sub(this.words, base + EJECTED_TOTAL, 1)
    Atomics.store(this.words, base + EJECTED_UNTIL, seen)
  }

  /** The trial is over and changed nothing: the next request may be one. */
  endTrial(slot: number): void {
    Atomics.store(this.words, HEAD_WORDS + slot * SLOT_WORDS + TRIAL_UNTIL, 0)
  }

  /** The peer is in again and its record clean, unless `keepsRecord`. True for the one thread that changed it. */
  restore(slot: number, keepsRecord = false): boolean {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    // Before it is open: who sees it open knows since when.
    if (Atomics.load(this.words, base + EJECTED_UNTIL) !== 0) this.cameBack(slot)
    if (Atomics.exchange(this.words, base + EJECTED_UNTIL, 0) === 0) return false
    if (!keepsRecord) Atomics.store(this.words, base + EJECTIONS, 0)
    Atomics.store(this.words, base + FAILURES, 0)
    Atomics.store(this.words, base + TRIAL_UNTIL, 0)
    return true
  }

  // Totals, for metrics and the status page

  requestsTotal(slot: number): number {
    return this.total(HEAD_WORDS + slot * SLOT_WORDS + REQUESTS)
  }

  failuresTotal(slot: number): number {
    return this.total(HEAD_WORDS + slot * SLOT_WORDS + FAILED)
  }

  ejectionsTotal(slot: number): number {
    return Atomics.load(this.words, HEAD_WORDS + slot * SLOT_WORDS + EJECTED_TOTAL)
  }

  /** Index of the first of a slot's words, for records other than a peer's. */
  wordOf(slot: number): number {
    return HEAD_WORDS + slot * SLOT_WORDS
  }

  /** Back to all zeroes. Control thread only, when no other thread uses the slot. */
  reset(slot: number): void {
    const base = HEAD_WORDS + slot * SLOT_WORDS
    for (let word = 0; word < SLOT_WORDS; word++) Atomics.store(this.words, base + word, 0)
  }

  private claimTrial(base: number): void {
    const until = Atomics.load(this.words, base + EJECTED_UNTIL)
    const now = this.now()
    if (until === 0 || !this.hasRunOut(base, until, now)) return
    const seen = Atomics.load(this.words, base + TRIAL_UNTIL)
    if (seen > now) return
    const tenths = Math.min(Atomics.load(this.words, base + EJECTED_FOR), TRIAL_TENTHS_MAX)
    Atomics.compareExchange(this.words, base + TRIAL_UNTIL, seen, now + tenths)
  }

  private hasRunOut(base: number, until: number, now: number): boolean {
    // More time left than it was for: the wall clock was set back.
    return now >= until || until - now > Atomics.load(this.words, base + EJECTED_FOR)
  }

  private count(word: number): void {
    if (Atomics.add(this.words, word, 1) === -1) Atomics.add(this.words, word + 1, 1)
  }

  private total(word: number): number {
    return (Atomics.load(this.words, word + 1) >>> 0) * 0x1_0000_0000 + (Atomics.load(this.words, word) >>> 0)
  }
}
