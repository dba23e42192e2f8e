// HOT
import { assert } from "./assert.ts"

const IDLE = -1

/** Who is told when a timer fires. An owner of several timers compares `timer` with its fields. */
export interface TimerOwner {
  /** Called once for each time the timer was scheduled and not cancelled. May schedule and cancel any timer, this one too. Must not throw. */
  onTimer(timer: Timer): void
}

/** A deadline of an owner. Made once with its owner and used for all its waits; at rest it costs nothing. */
export class Timer {
  readonly owner: TimerOwner
  /** When to fire, on the wheel's clock. Written by `TimerWheel.schedule` alone. */
  deadline: number
  /** The deadline that the place in the wheel was chosen for; `deadline` may have moved on since. */
  linkedFor: number
  /** The tick whose slot holds the timer; IDLE when it is not scheduled. */
  tick: number
  prev: Timer
  next: Timer

  constructor(owner: TimerOwner) {
    this.owner = owner
    this.deadline = Infinity
    this.linkedFor = Infinity
    this.tick = IDLE
    this.prev = this
    this.next = this
  }

  get scheduled(): boolean {
    return this.tick !== IDLE
  }
}

/** The owner of list heads, which are never due. */
const nobody: TimerOwner = { onTimer(): void {} }

function unlink(timer: Timer): void {
  timer.prev.next = timer.next
  timer.next.prev = timer.prev
  timer.prev = timer
  timer.next = timer
  timer.tick = IDLE
}

function append(head: Timer, timer: Timer): void {
  timer.prev = head.prev
  timer.next = head
  head.prev.next = timer
  head.prev = timer
}

/** Moves all that hangs on `from` to the end of `to`. */
function splice(from: Timer, to: Timer): void {
  if (from.next === from) return
  from.next.prev = to.prev
  to.prev.next = from.next
  from.prev.next = to
  to.prev = from.prev
  from.prev = from
  from.next = from
}

/**
 * Deadlines of many connections, made for those that are moved on with every event and seldom reached.
 *
 *   slots:   [0] ⇄ a ⇄ b   [1]   [2] ⇄ c   …   a ring of list heads; tick n hangs in slot n mod their count
 *   pending:  what the ticks that have passed held; each fires, or is hung up again where its deadline has moved to
 *
 * To schedule, to move and to cancel are O(1) and allocate nothing; a move to a later time writes one number. A timer fires when
 * `advance` finds its deadline reached: never early, and late by no more than the pause between two calls (one tick, see `startWheel`).
 * Timers of one call fire in no particular order. After Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987).
 */
export class TimerWheel {
  /** Milliseconds a tick; default 100. */
  readonly tickMs: number
  /** Timers that wait. */
  size: number
  private readonly ticksPerMs: number
  private readonly slots: Timer[]
  private readonly mask: number
  private readonly pending: Timer
  private tick: number
  private advancing: boolean

  /** `nowMs` is the time on the clock that deadlines refer to. `slotCount` (a power of two) × `tickMs` should cover most of the waits: one beyond is touched once a turn. */
  constructor(nowMs: number, tickMs = 100, slotCount = 512) {
    assert(tickMs > 0 && slotCount > 0 && (slotCount & (slotCount - 1)) === 0, "a tick over 0 ms and a power of two of slots")
    this.tickMs = tickMs
    this.size = 0
    this.ticksPerMs = 1 / tickMs
    this.slots = []
    for (let i = 0; i < slotCount; i++) this.slots.push(new Timer(nobody))
    this.mask = slotCount - 1
    this.pending = new Timer(nobody)
    this.tick = Math.floor(nowMs * this.ticksPerMs)
    this.advancing = false
  }

  /** Sets or moves the deadline. One that has passed fires at the next `advance`, never inside this call. Infinity = no deadline. */
  schedule(timer: Timer, deadlineMs: number): void {
    assert(!Number.isNaN(deadlineMs), "a deadline is a number")
    timer.deadline = deadlineMs
    if (timer.tick !== IDLE) {
      if (deadlineMs >= timer.linkedFor && deadlineMs !== Infinity) return
      this.cancel(timer)
    }
    if (deadlineMs !== Infinity) this.link(timer, deadlineMs)
  }

  /** Forgets the deadline. A timer that is not scheduled stays so. */
  cancel(timer: Timer): void {
    if (timer.tick === IDLE) return
    unlink(timer)
    this.size--
  }

  /**
   * Takes the deadline away but leaves the timer where it hangs: the cheap form of `cancel` for one that is scheduled again soon.
   * It still counts in `size` until its old place comes round.
   */
  rest(timer: Timer): void {
    if (timer.tick !== IDLE) timer.deadline = Infinity
  }

  /** Fires what is due at `nowMs`. What a callback schedules waits for the next call, so a timer that always renews itself ends no loop. */
  advance(nowMs: number): void {
    const tick = Math.floor(nowMs * this.ticksPerMs)
    if (this.advancing || tick < this.tick) return
    if (this.size === 0) {
      this.tick = tick
      return
    }
    this.collect(tick)
    this.advancing = true
    try {
      this.fire(nowMs)
    } finally {
      // Should a callback throw after all, the rest stays in `pending` for the next call.
      this.advancing = false
    }
  }

  /** Takes the slots of all ticks up to `tick`. The current one is taken again next time, for what is due later within it. */
  private collect(tick: number): void {
    const passed = tick - this.tick
    const first = passed > this.mask ? tick - this.mask : this.tick
    for (let at = first; at <= tick; at++) splice(this.slots[at & this.mask]!, this.pending)
    this.tick = tick
  }

  private fire(nowMs: number): void {
    const { pending } = this
    for (let timer = pending.next; timer !== pending; timer = pending.next) {
      unlink(timer)
      this.size--
      if (timer.deadline <= nowMs) timer.owner.onTimer(timer)
      else if (timer.deadline !== Infinity) this.link(timer, timer.deadline)
    }
  }

  private link(timer: Timer, deadlineMs: number): void {
    const tick = Math.floor(deadlineMs * this.ticksPerMs)
    timer.tick = tick > this.tick ? tick : this.tick
    timer.linkedFor = deadlineMs
    this.size++
    append(this.slots[timer.tick & this.mask]!, timer)
  }
}
