import { HEARTBEAT, HEARTBEAT_STALL_MS, HEARTBEAT_WORDS } from "../protocol.ts"

/** Longest time that a worker may be silent while it compiles a config, in milliseconds. */
const PREPARE_STALL_MS = 30_000

/** Watches the beats of the workers. One event loop cannot tell that it hangs itself; another can. */
export class HeartbeatMonitor {
  readonly #words: Int32Array
  readonly #last: Int32Array
  readonly #changedAt: Float64Array
  #checkedAt = 0

  constructor(buffer: SharedArrayBuffer, count: number) {
    this.#words = new Int32Array(buffer)
    this.#last = new Int32Array(count)
    this.#changedAt = new Float64Array(count)
  }

  static bytes(count: number): number {
    return count * HEARTBEAT_WORDS * 4
  }

  /** A worker starts in this place. */
  begin(index: number, now: number): void {
    this.#words.fill(0, index * HEARTBEAT_WORDS, (index + 1) * HEARTBEAT_WORDS)
    this.#last[index] = 0
    this.#changedAt[index] = now
  }

  /** It has shown otherwise that it lives. */
  touch(index: number, now: number): void {
    this.#changedAt[index] = now
  }

  /** Takes one look. When this thread itself slept (a suspended machine, a stopped process), nobody is blamed for it. */
  look(now: number): void {
    const slept = this.#checkedAt !== 0 && now - this.#checkedAt > HEARTBEAT_STALL_MS / 2
    this.#checkedAt = now
    for (let i = 0; i < this.#last.length; i++) {
      const beat = this.word(i, "beat")
      if (beat === this.#last[i] && !slept) continue
      this.#last[i] = beat
      this.#changedAt[i] = now
    }
  }

  /** Milliseconds since the beat last moved, as of the last look. */
  age(index: number, now: number): number {
    return Math.max(0, now - this.#changedAt[index]!)
  }

  stalled(index: number, now: number, preparing: boolean): boolean {
    return this.age(index, now) > (preparing ? PREPARE_STALL_MS : HEARTBEAT_STALL_MS)
  }

  word(index: number, name: keyof typeof HEARTBEAT): number {
    return Atomics.load(this.#words, index * HEARTBEAT_WORDS + HEARTBEAT[name])
  }
}
