import { close, constants, fstat, open, stat } from "node:fs"
import { type Clock, systemClock } from "../../../base/index.ts"
import type { LogSink } from "../../../plugin/index.ts"
import { type BatchLimits, type BatchOutput, BatchWriter, type WriteDone } from "../batch-writer.ts"
import { brokenWarning } from "../broken-warning.ts"
import { fileBatchBytes, pipeBatchBytes, takesLargeBatches, writeInPool } from "../pool-write.ts"

// O_NONBLOCK means nothing to a file; a named pipe that nobody reads fails at once instead of holding a thread.
const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK
const mode = 0o640
/** How often a write first asks whether the path still names the open file. */
const checkMs = 1000

/** Lines to a file; see its README for rotation. */
export function createFileSink(path: string, clock: Clock = systemClock, limits: Partial<BatchLimits> = {}): LogSink {
  return new BatchWriter(new FileOutput(path, clock), brokenWarning(path, clock), limits)
}

/** Appends to a file. Whole batches of several workers do not mix: O_APPEND makes each write one step. */
class FileOutput implements BatchOutput {
  batchBytesMax = fileBatchBytes
  private readonly path: string
  private readonly clock: Clock
  private fd = -1
  private checkedAt = 0
  private wantsReopen = false
  private isClosed = false
  private isBusy = false

  constructor(path: string, clock: Clock) {
    this.path = path
    this.clock = clock
  }

  write(data: Buffer, from: number, done: WriteDone): void {
    this.isBusy = true
    const finish: WriteDone = (error, reached) => {
      this.isBusy = false
      if (this.isClosed) this.release()
      done(error, reached)
    }
    if (this.fd < 0) this.openThen(data, from, finish)
    else if (this.wantsReopen) this.swap(data, from, finish)
    else if (this.clock.now() - this.checkedAt < checkMs) writeInPool(this.fd, data, from, finish)
    else this.checkThen(data, from, finish)
  }

  reopen(): void {
    this.wantsReopen = true
  }

  close(): void {
    this.isClosed = true
    if (!this.isBusy) this.release()
  }

  private release(): void {
    if (this.fd >= 0) close(this.fd, () => {})
    this.fd = -1
  }

  private openThen(data: Buffer, from: number, done: WriteDone): void {
    this.wantsReopen = false
    open(this.path, flags, mode, (error, fd) => {
      if (error !== null) return done(error, from)
      this.fd = fd
      this.checkedAt = this.clock.now()
      this.batchBytesMax = takesLargeBatches(fd) ? fileBatchBytes : pipeBatchBytes
      writeInPool(fd, data, from, done)
    })
  }

  private checkThen(data: Buffer, from: number, done: WriteDone): void {
    fstat(this.fd, (openError, opened) => {
      stat(this.path, (pathError, named) => {
        const same = openError === null && pathError === null && opened.ino === named.ino && opened.dev === named.dev
        if (!same) return this.swap(data, from, done)
        this.checkedAt = this.clock.now()
        writeInPool(this.fd, data, from, done)
      })
    })
  }

  /** Another file from here on; a line that was cut in the old one is written whole in the new one. */
  private swap(data: Buffer, from: number, done: WriteDone): void {
    this.release()
    this.openThen(data, from === 0 ? 0 : data.lastIndexOf(10, from - 1) + 1, done)
  }
}
