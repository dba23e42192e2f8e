import { close, constants, openSync, writeSync } from "node:fs"
import { type Clock, systemClock } from "../../../base/index.ts"
import type { LogSink } from "../../../plugin/index.ts"
import { type BatchLimits, type BatchOutput, BatchWriter, type WriteDone } from "../batch-writer.ts"
import { brokenWarning } from "../broken-warning.ts"
import { fileBatchBytes, isFull, pipeBatchBytes, takesLargeBatches, writeInPool } from "../pool-write.ts"

/** Lines to the process's standard output, whatever it is: a terminal, a file, a pipe to a log collector. */
export function createStdoutSink(clock: Clock = systemClock, limits: Partial<BatchLimits> = {}): LogSink {
  return new BatchWriter(openDescriptor(1), brokenWarning("stdout", clock), limits)
}

/** Writes to an open descriptor without ever blocking the thread. Closes only what it opened itself. */
function openDescriptor(fd: number): BatchOutput {
  if (takesLargeBatches(fd)) return new PoolOutput(fd, fileBatchBytes)
  const own = openNonBlocking(fd)
  return own === null ? new PoolOutput(fd, pipeBatchBytes) : new PipeOutput(own)
}

/**
 * A second, non-blocking way to the same pipe: changing the descriptor itself would change it for everybody who inherited it.
 * null where the system has no such thing, for sockets, and for a pipe of another user.
 */
function openNonBlocking(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return null
  }
}

/** Small writes from this thread: a pipe takes 4 KB in microseconds or says at once that it is full. */
class PipeOutput implements BatchOutput {
  readonly batchBytesMax = pipeBatchBytes
  private readonly fd: number

  constructor(fd: number) {
    this.fd = fd
  }

  write(data: Buffer, from: number, done: WriteDone): void {
    let taken: number
    try {
      taken = writeSync(this.fd, data, from, data.length - from)
    } catch (error) {
      done(isFull(error) ? null : (error as Error), from)
      return
    }
    done(null, from + taken)
  }

  reopen(): void {}

  close(): void {
    close(this.fd, () => {})
  }
}

class PoolOutput implements BatchOutput {
  readonly batchBytesMax: number
  private readonly fd: number

  constructor(fd: number, batchBytesMax: number) {
    this.fd = fd
    this.batchBytesMax = batchBytesMax
  }

  write(data: Buffer, from: number, done: WriteDone): void {
    writeInPool(this.fd, data, from, done)
  }

  reopen(): void {}

  close(): void {}
}
