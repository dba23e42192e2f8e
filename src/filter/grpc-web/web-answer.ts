// HOT
import type { BodyChange } from "../../flow/index.ts"
import { ToBase64 } from "./base64-body.ts"

const PREFIX_BYTES = 5
/** The bit of a prefix that says: trailers (gRPC-Web, "Message framing"). */
const TRAILERS = 0x80
/** A call whose peer says nothing of its end has not gone well, whatever the client would make of silence. */
const NO_STATUS = "grpc-status: 2\r\ngrpc-message: the peer ended the call without a status\r\n"

/** What a gRPC-Web client gets of an answer: the messages as they are, then the trailers as a last one; all in base64 for clients that cannot read octets. */
export class WebAnswer implements BodyChange {
  readonly trailers = ""
  private readonly text: ToBase64 | null
  private readonly ends = new MessageEnds()

  constructor(text: boolean) {
    this.text = text ? new ToBase64() : null
  }

  push(chunk: Uint8Array): Uint8Array {
    // Where a message ends its last octets go too: the next one may be long in coming.
    return this.text === null ? chunk : this.text.write(chunk, this.ends.after(chunk))
  }

  end(trailers: string): Uint8Array {
    const frame = trailerFrame(trailers === "" ? NO_STATUS : trailers)
    return this.text === null ? frame : this.text.write(frame, true)
  }
}

/** Trailers as gRPC-Web has them: a prefix with its own bit, then lines with names in lower case. */
export function trailerFrame(lines: string): Uint8Array {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + lines.length)
  frame[0] = TRAILERS
  frame.writeUInt32BE(lines.length, 1)
  let name = true
  for (let i = 0; i < lines.length; i++) {
    let code = lines.charCodeAt(i)
    if (code === 58) name = false
    else if (code === 10) name = true
    else if (name && code >= 65 && code <= 90) code += 32
    frame[PREFIX_BYTES + i] = code
  }
  return frame
}

/** Follows the messages of a gRPC body: a prefix of five octets, whose last four say how long the message is. */
class MessageEnds {
  private prefix = 0
  private length = 0
  private left = 0

  /** Does a message end where this chunk ends? */
  after(chunk: Uint8Array): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.left > 0) {
        const some = Math.min(this.left, chunk.length - at)
        this.left -= some
        at += some
        continue
      }
      if (this.prefix > 0) this.length = this.length * 256 + chunk[at]!
      at++
      if (++this.prefix < PREFIX_BYTES) continue
      this.left = this.length
      this.prefix = 0
      this.length = 0
    }
    return this.left === 0 && this.prefix === 0
  }
}
