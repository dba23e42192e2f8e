// HOT
import type { PeerStates } from "../peer-states.ts"
import { TALLY, WORD } from "../slot-words.ts"
import { CLASSES, type PriorityClass } from "./priority.ts"

export interface QueueOptions {
  /** Requests that may wait, over all workers. */
  readonly lengthMax: number
  readonly timeoutMs: number
  /** Share of `lengthMax` from which requests of low priority are refused. */
  readonly lowShareMax: number
}

/** Somebody who waits until a request may go. The queue owns the links. */
export interface QueueWaiter {
  priority: PriorityClass
  before: QueueWaiter | null
  behind: QueueWaiter | null
  /** It may go: what it needs has been taken for it. False = it could not use it and wants to be the first again. */
  onTurn(): boolean
  /** Its place is given to somebody more important. */
  onEvicted(): void
}

/** How long a worker sleeps on the shared word when nobody wakes it: a worker that died woke nobody. */
const LOOK_MS = 50

/**
 * Requests that wait for a place in a cluster, in one worker: by class, and in each class first come, first served. How many wait in which class is
 * known to all workers: nobody goes ahead of a more important one that waits elsewhere.
 *
 *     low:    ⇄ a ⇄ b             a place is free: the first of the highest class that may go is told
 *     high:   ⇄ c                 other workers sleep on a word of the shared states and are woken there
 */
export class WaitQueue {
  readonly options: QueueOptions
  private readonly states: PeerStates
  private readonly slot: number
  private readonly wakeAt: number
  /** Takes what the first waiter needs; false when there is none. */
  private readonly take: (priority: PriorityClass) => boolean
  private readonly random: () => number
  private readonly heads: (QueueWaiter | null)[] = []
  private readonly tails: (QueueWaiter | null)[] = []
  size = 0
  private pumping = false
  private again = false
  private sleeping = false
  private readonly woken: () => void

  constructor(parts: {
    options: QueueOptions
    states: PeerStates
    slot: number
    take: (priority: PriorityClass) => boolean
    random: () => number
  }) {
    this.options = parts.options
    this.states = parts.states
    this.slot = parts.slot
    this.wakeAt = parts.states.wordOf(parts.slot) + WORD.wake
    this.take = parts.take
    this.random = parts.random
    for (let k = 0; k < CLASSES; k++) {
      this.heads.push(null)
      this.tails.push(null)
    }
    // allow(closure): once a queue
    this.woken = () => {
      this.sleeping = false
      this.pump()
    }
  }

  /** Requests that wait, in all workers. */
  get length(): number {
    return this.waitingUpTo((CLASSES - 1) as PriorityClass)
  }

  /** How many wait, in all workers, that are as important or more. */
  waitingUpTo(priority: PriorityClass): number {
    let sum = 0
    for (let k = 0; k <= priority; k++) sum += this.states.tally(this.slot, TALLY.queued + k)
    return sum
  }

  /** Joins at the end of its class; false when the queue is full for it. */
  join(waiter: QueueWaiter): boolean {
    const { lengthMax, lowShareMax } = this.options
    const { length } = this
    if (waiter.priority === CLASSES - 1 && length >= lengthMax * lowShareMax) return false
    if (length >= lengthMax && !this.evictFor(waiter.priority)) return false
    this.link(waiter, false)
    return true
  }

  /** What `join` did last. A place may have become free meanwhile. */
  look(): void {
    this.pump()
  }

  leave(waiter: QueueWaiter): void {
    const { before, behind, priority } = waiter
    if (before === null) this.heads[priority] = behind
    else before.behind = behind
    if (behind === null) this.tails[priority] = before
    else behind.before = before
    waiter.before = null
    waiter.behind = null
    this.size--
    this.states.give(this.slot, TALLY.queued + priority)
  }

  /** A place has become free in this worker: for somebody who waits here or elsewhere. */
  freed(): void {
    const waiting = this.length
    if (waiting === 0) return
    const others = waiting - this.size
    if (this.size > 0 && (others <= 0 || this.random() * waiting < this.size)) this.pump()
    if (others <= 0) return
    Atomics.add(this.states.words, this.wakeAt, 1)
    Atomics.notify(this.states.words, this.wakeAt)
  }

  private link(waiter: QueueWaiter, first: boolean): void {
    const { priority } = waiter
    const neighbour = first ? this.heads[priority]! : this.tails[priority]!
    if (first) {
      waiter.behind = neighbour
      if (neighbour !== null) neighbour.before = waiter
      else this.tails[priority] = waiter
      this.heads[priority] = waiter
    } else {
      waiter.before = neighbour
      if (neighbour !== null) neighbour.behind = waiter
      else this.heads[priority] = waiter
      this.tails[priority] = waiter
    }
    this.size++
    this.states.take(this.slot, TALLY.queued + priority)
  }

  /** The last of the lowest class that is lower than this one gives its place up. */
  private evictFor(priority: PriorityClass): boolean {
    for (let k = CLASSES - 1; k > priority; k--) {
      const last = this.tails[k]!
      if (last === null) continue
      this.leave(last)
      last.onEvicted()
      return true
    }
    return false
  }

  /** Lets go whoever may, the most important first. */
  private pump(): void {
    if (this.pumping) {
      this.again = true
      return
    }
    this.pumping = true
    // Before the attempt to take: what becomes free from here on changes the word.
    let seen = 0
    do {
      this.again = false
      seen = Atomics.load(this.states.words, this.wakeAt)
      this.letGo()
    } while (this.again)
    this.pumping = false
    if (this.size > 0 && !this.sleeping) this.sleep(seen)
  }

  private letGo(): void {
    for (let k = 0; k < CLASSES; k++) {
      for (let first = this.heads[k]!; first !== null; first = this.heads[k]!) {
        if (!this.mayGo(k as PriorityClass) || !this.take(k as PriorityClass)) return
        this.leave(first)
        if (first.onTurn()) continue
        this.link(first, true)
        return
      }
    }
  }

  /** Nobody more important waits elsewhere; here they have all gone. */
  private mayGo(priority: PriorityClass): boolean {
    return priority === 0 || this.waitingUpTo((priority - 1) as PriorityClass) === 0
  }

  private sleep(seen: number): void {
    this.sleeping = true
    const wait = Atomics.waitAsync(this.states.words, this.wakeAt, seen, LOOK_MS)
    // allow(async): a field of what waitAsync answers
    if (wait.async) void wait.value.then(this.woken)
    else queueMicrotask(this.woken)
  }
}
