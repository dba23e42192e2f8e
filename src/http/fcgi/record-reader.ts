// HOT
import { HEAD_OCTETS } from "./records.ts"

/** Whoever reads records. */
export interface RecordReceiver {
  /** A part of a record's content, in its order; memory of the chunk that came. False = no more of them. */
  onContent(type: number, content: Buffer): boolean
  /** The content of a record is over. False as above. */
  onRecordEnd(type: number, length: number): boolean
}

/** Takes records out of a stream; contents go on as they come, whatever the record's length. */
export class RecordReader {
  private head = Buffer.alloc(HEAD_OCTETS)
  private headRead = 0
  private contentLeft = 0
  private paddingLeft = 0

  reset(): void {
    this.headRead = 0
    this.contentLeft = 0
    this.paddingLeft = 0
  }

  /** False = this is not FastCGI. */
  push(chunk: Buffer, receiver: RecordReceiver): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.headRead < HEAD_OCTETS) {
        this.head[this.headRead++] = chunk[at++]!
        if (this.headRead < HEAD_OCTETS) continue
        if (this.head[0] !== 1) return false
        this.contentLeft = this.head.readUInt16BE(4)
        this.paddingLeft = this.head[6]!
        if (this.contentLeft > 0) continue
      } else if (this.contentLeft > 0) {
        const end = at + this.contentLeft < chunk.length ? at + this.contentLeft : chunk.length
        this.contentLeft -= end - at
        const part = chunk.subarray(at, end)
        at = end
        if (!receiver.onContent(this.head[1]!, part)) return true
        if (this.contentLeft > 0) continue
      } else if (this.paddingLeft > 0) {
        const skipped = this.paddingLeft < chunk.length - at ? this.paddingLeft : chunk.length - at
        this.paddingLeft -= skipped
        at += skipped
        if (this.paddingLeft === 0) this.headRead = 0
        continue
      }
      if (this.paddingLeft === 0) this.headRead = 0
      if (!receiver.onRecordEnd(this.head[1]!, this.head.readUInt16BE(4))) return true
    }
    return true
  }
}
