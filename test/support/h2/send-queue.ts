import { dataFrame, initialFrameSize, initialWindow } from "./frames.ts"

interface Item {
  readonly streamId: number
  readonly bytes: Buffer
  readonly end: boolean
  at: number
  readonly done: () => void
}

/** Bodies on their way out, as the other side's windows allow. */
export class SendQueue {
  connectionWindow = initialWindow
  initialWindow = initialWindow
  frameSize = initialFrameSize
  private readonly windows = new Map<number, number>()
  private items: Item[] = []
  private readonly send: (bytes: Buffer) => void

  constructor(send: (bytes: Buffer) => void) {
    this.send = send
  }

  window(streamId: number): number {
    return streamId === 0 ? this.connectionWindow : (this.windows.get(streamId) ?? this.initialWindow)
  }

  /** Settles when all of it was sent, or the stream is over. */
  add(streamId: number, bytes: Buffer, end: boolean): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.items.push({ streamId, bytes, end, at: 0, done: resolve })
    this.flush()
    return promise
  }

  /** Counts what was sent past the queue, and what the other side grants (below 0). */
  take(streamId: number, octets: number): void {
    if (streamId === 0) this.connectionWindow -= octets
    else this.windows.set(streamId, this.window(streamId) - octets)
  }

  changeInitialWindow(size: number): void {
    for (const [streamId, window] of this.windows) this.windows.set(streamId, window + size - this.initialWindow)
    this.initialWindow = size
  }

  drop(streamId: number): void {
    for (const item of this.items) if (item.streamId === streamId) item.done()
    this.items = this.items.filter(item => item.streamId !== streamId)
  }

  flush(): void {
    const behind = new Set<number>()
    this.items = this.items.filter(item => {
      if (!behind.has(item.streamId) && this.sendSome(item)) return false
      behind.add(item.streamId)
      return true
    })
  }

  /** True when the item is through. */
  private sendSome(item: Item): boolean {
    while (true) {
      const left = item.bytes.length - item.at
      const count = Math.min(left, this.frameSize, this.connectionWindow, this.window(item.streamId))
      if (left > 0 && count <= 0) return false
      const isLast = count === left || left === 0
      if (left > 0 || item.end)
        this.send(dataFrame(item.streamId, item.bytes.subarray(item.at, item.at + Math.max(count, 0)), { end: item.end && isLast }))
      if (left > 0) {
        this.take(0, count)
        this.take(item.streamId, count)
      }
      item.at += Math.max(count, 0)
      if (!isLast) continue
      item.done()
      return true
    }
  }
}
