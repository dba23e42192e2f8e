import { type Fault, FAULT } from "../../base/index.ts"
import type { BodyChange } from "../../flow/index.ts"

/** Lets an answer go on as it is until it is as large as a rule lets it be; then it is cut off, which every client can see: its end is missing. */
export class CutAnswer implements BodyChange {
  readonly trailers = ""
  readonly keepsOctets = true
  readonly fault: Fault = FAULT.blocked
  private left: number
  private readonly reached: () => void

  /** `reached` is called when it is cut. */
  constructor(bytes: number, reached: () => void) {
    this.left = bytes
    this.reached = reached
  }

  push(chunk: Uint8Array): Uint8Array | null {
    this.left -= chunk.length
    if (this.left > 0) return chunk
    this.reached()
    return null
  }

  end(): Uint8Array {
    return NOTHING
  }
}

const NOTHING = new Uint8Array(0)
