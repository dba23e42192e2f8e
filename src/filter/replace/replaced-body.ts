// HOT
import type { BodyChange } from "../../flow/index.ts"

/** One rule at work on one body. Texts have one character an octet. */
export interface Stage {
  /** What can be said of the body so far. */
  push(text: string): string
  end(text: string): string
  /** Nothing is held back, and a chunk would come out as it is: most do, and need not be turned into text and back. */
  passes(chunk: Buffer): boolean
}

/** A body on its way through rules, each over what the one before has left. */
export class ReplacedBody implements BodyChange {
  trailers = ""
  private readonly stages: readonly Stage[]

  constructor(stages: readonly Stage[]) {
    this.stages = stages
  }

  push(chunk: Uint8Array): Uint8Array {
    const octets = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    let from = 0
    while (from < this.stages.length && this.stages[from]!.passes(octets)) from++
    if (from === this.stages.length) return chunk
    let text = octets.latin1Slice()
    for (let i = from; i < this.stages.length && text !== ""; i++) text = this.stages[i]!.push(text)
    return Buffer.from(text, "latin1")
  }

  end(trailers: string): Uint8Array {
    this.trailers = trailers
    let text = ""
    for (let i = 0; i < this.stages.length; i++) text = this.stages[i]!.end(text)
    return Buffer.from(text, "latin1")
  }
}
