import { type DiskTail, TAIL_FAILED, TAIL_WHOLE } from "./disk-contract.ts"
import type { FileCalls } from "./file-calls.ts"
import { BLOCK, blockStart } from "./file-layout.ts"
import type { SharedFile } from "./shared-file.ts"

/** What a tail sees of a writer in its own thread. */
export interface TailedWriter {
  readonly head: Uint8Array
  readonly bodyLength: number
  readonly written: number
  readonly state: 0 | 1 | 2
  readonly file: SharedFile | null
  /** Where the body begins. */
  readonly start: number
  watch(changed: () => void): void
  unwatch(changed: () => void): void
}

const nothing = new Uint8Array(0)

/** Octets from `at` on of a body that `written` octets are there of, not verified; `start` is where it begins in the file. */
export async function readWritten(files: FileCalls, fd: number, place: { start: number; at: number; length: number }): Promise<Uint8Array | null> {
  const { start, at, length } = place
  const index = Math.floor(at / BLOCK)
  const inBlock = at - index * BLOCK
  const octets = Buffer.allocUnsafeSlow(Math.min(length, BLOCK - inBlock))
  try {
    return (await files.read(fd, octets, start + blockStart(index) + inBlock)) === octets.length ? octets : null
  } catch {
    return null
  }
}

/** Reads along in the writer's own thread, through the writer's own file. */
export class WriterTail implements DiskTail {
  private readonly writer: TailedWriter
  private readonly files: FileCalls
  private file: SharedFile | null
  private busy = false
  private over = false

  constructor(writer: TailedWriter, files: FileCalls) {
    this.writer = writer
    this.files = files
    this.file = null
    this.takeFile()
    // The writer lets go of its file when it is done: be there before.
    if (this.file === null) writer.watch(this.takeFile)
  }

  get head(): Uint8Array {
    return this.writer.head
  }

  get bodyLength(): number {
    return this.writer.bodyLength
  }

  get written(): number {
    return this.writer.written
  }

  get state(): 0 | 1 | 2 {
    return this.writer.state
  }

  async read(at: number, max: number): Promise<Uint8Array | null> {
    if (this.over || this.busy) return null
    const length = Math.min(max, this.writer.written - at)
    if (length <= 0) return nothing
    if (this.file === null) return null
    this.busy = true
    const octets = await readWritten(this.files, this.file.fd, { start: this.writer.start, at, length })
    this.busy = false
    if (this.over) this.release()
    return octets
  }

  watch(changed: () => void): void {
    this.writer.watch(changed)
  }

  unwatch(changed: () => void): void {
    this.writer.unwatch(changed)
  }

  close(): void {
    if (this.over) return
    this.over = true
    this.writer.unwatch(this.takeFile)
    if (!this.busy) this.release()
  }

  private release(): void {
    this.file?.release()
    this.file = null
  }

  private readonly takeFile = (): void => {
    if (this.over || this.file !== null) return
    if (this.writer.file !== null) this.file = this.writer.file.hold()
    else if (this.writer.state !== TAIL_WHOLE && this.writer.state !== TAIL_FAILED) this.writer.watch(this.takeFile)
  }
}
