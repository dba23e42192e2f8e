import type { LogSink } from "../../plugin/index.ts"

/** Where batches go. Never blocks the thread. */
export interface BatchOutput {
  /** Octets that one write may have so that writes of several threads to one target never mix. May change when the target is opened. */
  readonly batchBytesMax: number
  /** Writes `data` from `from` on, as much as the target takes, and calls `done` once, perhaps before it returns. One call at a time. */
  write(data: Buffer, from: number, done: WriteDone): void
  /** The target shall be opened again before the next write. */
  reopen(): void
  close(): void
}

/** `reached`: how far of `data` has been written; `from` = the target is full for now. Less than `from` when another file shall get the line whole. */
export type WriteDone = (error: Error | null, reached: number) => void

export interface BatchLimits {
  /** A line waits no longer than this for others. */
  readonly flushMs: number
  /** As much as this is written at once, without waiting. */
  readonly flushBytes: number
  /** Octets that may wait for a target that does not keep up; further lines are dropped. */
  readonly queueBytesMax: number
  /** Until a full target is asked again. */
  readonly fullMs: number
  /** Until a broken target is tried again. */
  readonly brokenMs: number
  /** How long `close` waits for a target that does not keep up. */
  readonly closeMs: number
}

export const defaultLimits: BatchLimits = {
  flushMs: 100,
  flushBytes: 64 * 1024,
  queueBytesMax: 4 * 1024 * 1024,
  fullMs: 10,
  brokenMs: 1000,
  closeMs: 2000,
}

interface Batch {
  readonly text: string
  readonly lines: number
}

/**
 * Collects lines and writes them in batches, one write each.
 *
 *   write → current → queue of whole-line batches → sending → output
 */
export class BatchWriter implements LogSink {
  private readonly output: BatchOutput
  private readonly limits: BatchLimits
  private readonly broken: (error: Error) => void
  private current = ""
  private currentLines = 0
  private readonly queue: Batch[] = []
  private sending: Buffer | null = null
  private sendingLines = 0
  private sent = 0
  /** Characters in `current` and `queue`. Lines are ASCII as a rule, so characters are octets. */
  private waiting = 0
  /** `current` has waited long enough; never while it is empty, because a line that finds it set starts no timer. */
  private due = false
  private busy = false
  private pumping = false
  private flushTimer: NodeJS.Timeout | null = null
  private retryTimer: NodeJS.Timeout | null = null
  private lost = 0
  private closing = false
  private closed: (() => void) | null = null

  /** `broken` is told of each failed write; it limits itself. */
  constructor(output: BatchOutput, broken: (error: Error) => void, limits: Partial<BatchLimits> = {}) {
    this.output = output
    this.broken = broken
    this.limits = { ...defaultLimits, ...limits }
  }

  write(line: string): void {
    if (this.closing || this.waiting + line.length > this.limits.queueBytesMax) {
      this.lost++
      return
    }
    if (this.currentLines > 0 && this.current.length + line.length > this.output.batchBytesMax) this.enqueue()
    this.current += line
    this.currentLines++
    this.waiting += line.length
    if (this.waiting < this.limits.flushBytes) return this.armFlush()
    this.due = true
    this.pump()
  }

  reopen(): void {
    this.output.reopen()
    this.flush()
  }

  dropped(): number {
    return this.lost
  }

  /** Settles when everything is written, or after `closeMs`; what is left then is dropped. */
  close(): Promise<void> {
    if (this.closing) return Promise.resolve()
    this.closing = true
    return new Promise(resolve => {
      const limit = setTimeout(() => this.finish(), this.limits.closeMs)
      this.closed = () => {
        clearTimeout(limit)
        resolve()
      }
      this.pump()
    })
  }

  private finish(): void {
    if (this.closed === null) return
    if (this.flushTimer !== null) clearTimeout(this.flushTimer)
    if (this.retryTimer !== null) clearTimeout(this.retryTimer)
    this.lost += this.sendingLines + this.currentLines + this.queue.reduce((sum, batch) => sum + batch.lines, 0)
    this.queue.length = 0
    this.output.close()
    this.closed()
    this.closed = null
  }

  private armFlush(): void {
    if (this.flushTimer === null && !this.due) this.flushTimer = setTimeout(this.onFlushTimer, this.limits.flushMs).unref()
  }

  private readonly onFlushTimer = (): void => {
    this.flushTimer = null
    this.flush()
  }

  private flush(): void {
    this.due = this.currentLines > 0
    this.pump()
  }

  private enqueue(): void {
    this.queue.push({ text: this.current, lines: this.currentLines })
    this.current = ""
    this.currentLines = 0
    this.due = false
  }

  private isEmpty(): boolean {
    return this.sending === null && this.queue.length === 0 && this.currentLines === 0
  }

  /** Writes until the target is busy, full or broken, or nothing is left. A loop, because `done` may come at once. */
  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    while (!this.busy && this.retryTimer === null && this.take()) {
      this.busy = true
      this.output.write(this.sending!, this.sent, this.onWritten)
    }
    this.pumping = false
    if (this.closing && this.isEmpty()) this.finish()
    else if (this.currentLines > 0) this.armFlush()
  }

  /** Makes the next batch ready. What is still being collected goes when it is due or large enough. */
  private take(): boolean {
    if (this.sending !== null) return true
    if (this.queue.length === 0 && this.currentLines > 0 && (this.due || this.closing)) this.enqueue()
    const batch = this.queue.shift()
    if (batch === undefined) return false
    this.sending = Buffer.from(batch.text, "utf8")
    this.sendingLines = batch.lines
    this.sent = 0
    this.waiting -= batch.text.length
    return true
  }

  private readonly onWritten: WriteDone = (error, reached) => {
    this.busy = false
    const full = reached === this.sent
    this.sent = reached
    if (error !== null) {
      this.broken(error)
      this.retryIn(this.limits.brokenMs)
    } else if (full) this.retryIn(this.limits.fullMs)
    else if (this.sent >= this.sending!.length) this.sending = null
    if (this.sending === null) this.sendingLines = 0
    this.pump()
  }

  private retryIn(ms: number): void {
    this.retryTimer = setTimeout(() => {
      this.retryTimer = null
      this.pump()
    }, ms)
    this.retryTimer.unref()
  }
}
