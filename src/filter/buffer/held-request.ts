import { type Exchange, FAULT_VERDICT, NEXT, resume, type Verdict, WAIT, type Waiter, type BodyWaiter } from "../../flow/index.ts"
import { FAULT } from "../../base/index.ts"
import { BODY_LENGTH, NAME } from "../../http/index.ts"
import { dropField } from "../headers/edit-fields.ts"

/** What request bodies that wait may have in memory together, in one worker and filter. */
export interface RequestRoom {
  readonly bytesMax: number
  readonly totalBytesMax: number
  /** What becomes of a body that is larger: it goes on as it comes, or is refused. One for which there is no room goes on as it comes. */
  readonly over: "stream" | "refuse"
  bytes: number
  /** Counts bodies that went over. */
  overflowed(): void
}

/** One request whose peer is asked when all of the body has come. */
export class HeldRequest implements BodyWaiter, Waiter {
  private readonly room: RequestRoom
  private reserved = 0

  constructor(room: RequestRoom) {
    this.room = room
  }

  begin(x: Exchange): Verdict {
    const { room } = this
    const { pump } = x
    if (pump.requestEnded) return this.whole(x)
    // Nobody knows how much it will be where no length is said.
    const bytes = x.requestBody === BODY_LENGTH ? x.requestLength : room.bytesMax
    if (bytes > room.bytesMax) return this.tooMuch(x)
    // Refusing would let a few slow clients keep everybody else from uploading.
    if (room.bytes + bytes > room.totalBytesMax) {
      room.overflowed()
      return NEXT
    }
    this.reserved = bytes
    room.bytes += bytes
    pump.aheadBytesMax = Math.max(bytes, pump.aheadBytesMax)
    pump.bodyWaiter = this
    x.waiter = this
    // Nobody else would ask for it.
    if (x.expectContinue && !pump.continued && x.down !== null) {
      pump.continued = true
      x.down.continueBody()
    }
    // What came before may have been enough to hold the client back.
    x.down?.resumeBody()
    return WAIT
  }

  private tooMuch(x: Exchange): Verdict {
    this.room.overflowed()
    if (this.room.over === "stream") return NEXT
    x.fault = FAULT.bodyTooLarge
    return FAULT_VERDICT
  }

  cancel(x: Exchange): void {
    x.pump.bodyWaiter = null
  }

  bodyCame(x: Exchange): void {
    x.waiter = null
    resume(x, x.pump.requestEnded ? this.whole(x) : this.tooMuch(x))
  }

  /** All of it is here, and its length is known. Trailers need a body without one (RFC 9112 section 6.5). */
  private whole(x: Exchange): Verdict {
    const { pump } = x
    // The client has been told already.
    x.request.remove(NAME.expect)
    if (x.requestBody === BODY_LENGTH || pump.requestTrailers !== "") return NEXT
    x.requestBody = BODY_LENGTH
    x.requestLength = pump.keptBytes
    // Two ways to say where a body ends would be read in two ways (RFC 9112 section 6.3).
    x.request.remove(NAME.transferEncoding)
    dropField(x.request, "content-length")
    x.request.append("Content-Length", String(pump.keptBytes))
    return NEXT
  }

  /** The body has gone on, or never will. */
  release(): void {
    this.room.bytes -= this.reserved
    this.reserved = 0
  }
}
