import { fstatSync, write } from "node:fs"
import type { WriteDone } from "./batch-writer.ts"

/** POSIX PIPE_BUF: what a pipe takes whole or not at all, so that lines of several writers never mix. */
export const pipeBatchBytes = 4096
/** More than `flushBytes`, so that what makes a batch large enough is still part of it. */
export const fileBatchBytes = 128 * 1024

/** True for what takes large writes of several threads one after the other: files, terminals and devices. Pipes and sockets cut them. */
export function takesLargeBatches(fd: number): boolean {
  try {
    const stat = fstatSync(fd)
    return !stat.isFIFO() && !stat.isSocket()
  } catch {
    return false
  }
}

/** One write from the runtime's thread pool: for files, which may stall, and descriptors that may block. */
export function writeInPool(fd: number, data: Buffer, from: number, done: WriteDone): void {
  write(fd, data, from, data.length - from, null, (error, taken) => {
    if (error === null) done(null, from + taken)
    else done(isFull(error) ? null : error, from)
  })
}

/** The error of a non-blocking descriptor that takes nothing now. */
export function isFull(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === "EAGAIN" || code === "EWOULDBLOCK"
}
