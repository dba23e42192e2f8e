import type { MessagePort } from "node:worker_threads"
import type { FromWorker, ToWorker } from "../messages.ts"
import type { SharedState } from "../shared-state.ts"
import type { WriterBook } from "./writer-book.ts"

/** Purges in quick succession share a ping. */
const PING_MS = 20

/** The ports to the workers, and the pings behind which no writer older than a purge can come. */
export class WorkerPorts {
  private readonly ports = new Map<number, MessagePort>()
  private readonly shared: SharedState
  private readonly book: WriterBook
  private readonly hear: (self: number, message: FromWorker) => void
  private readonly awaited = new Set<number>()
  private pinged = 0
  private timer: ReturnType<typeof setTimeout> | null = null

  constructor(shared: SharedState, book: WriterBook, hear: (self: number, message: FromWorker) => void) {
    this.shared = shared
    this.book = book
    this.hear = hear
  }

  attach(self: number, port: MessagePort): void {
    this.ports.set(self, port)
    port.on("message", (message: FromWorker) => {
      if (this.ports.get(self) === port) this.hear(self, message)
    })
    port.on("close", () => {
      if (this.ports.get(self) === port) this.hear(self, { type: "detach" })
    })
  }

  detach(self: number): void {
    const port = this.ports.get(self)
    this.ports.delete(self)
    port?.close()
    this.answered(self)
  }

  post(self: number, message: ToWorker): void {
    this.ports.get(self)?.postMessage(message)
  }

  /** There is no keeper any more. */
  closeAll(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    for (const [self, port] of this.ports) {
      this.post(self, { type: "gone" })
      port.close()
    }
    this.ports.clear()
  }

  /** A purge was written down: find out when it can be forgotten. */
  pingSoon(): void {
    if (this.timer !== null || this.awaited.size > 0) return
    this.timer = setTimeout(this.ping, PING_MS)
  }

  pong(self: number, epoch: number): void {
    if (epoch === this.pinged) this.answered(self)
  }

  private readonly ping = (): void => {
    this.timer = null
    this.pinged = this.shared.epoch()
    for (const self of this.ports.keys()) {
      this.awaited.add(self)
      this.post(self, { type: "ping", epoch: this.pinged })
    }
    if (this.awaited.size === 0) this.book.forget(this.pinged)
  }

  private answered(self: number): void {
    if (!this.awaited.delete(self) || this.awaited.size > 0) return
    this.book.forget(this.pinged)
    if (this.book.remembered > 0) this.pingSoon()
  }
}
