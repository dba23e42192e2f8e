import type { FileCalls } from "./file-calls.ts"

/** An open file with several holders in one thread: a writer and its tails. The last one to leave closes it. */
export class SharedFile {
  readonly fd: number
  private readonly files: FileCalls
  private holders = 1

  constructor(files: FileCalls, fd: number) {
    this.files = files
    this.fd = fd
  }

  hold(): this {
    this.holders++
    return this
  }

  release(): void {
    this.holders--
    if (this.holders === 0) this.files.close(this.fd)
  }
}
