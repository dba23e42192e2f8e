import { z } from "zod"
import { formatSize, size } from "../../base/index.ts"
import { type AheadDownstream, type AheadRoom, type Exchange, NEXT, takeAhead, type Verdict } from "../../flow/index.ts"
import { BODY_NONE, BODY_TUNNEL } from "../../http/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { fieldText } from "../headers/edit-fields.ts"
import { HeldRequest, type RequestRoom } from "./held-request.ts"

const requestOption = z.strictObject({
  bytesMax: size({ min: 1, max: 64 * 1024 ** 2 })
    .default(1024 ** 2)
    .describe("Octets of one request body that wait in memory."),
  totalBytesMax: size({ min: 1 })
    .default(64 * 1024 ** 2)
    .describe("Octets of all request bodies that wait at a time, in one worker; without room a body goes on as it comes."),
  over: z.enum(["stream", "refuse"]).default("stream").describe("A larger body goes on as it comes, or is refused (413)."),
})

const responseOption = z.strictObject({
  bytesMax: size({ min: 1, max: 256 * 1024 ** 2 })
    .default(1024 ** 2)
    .describe("Octets of one response that wait for its client."),
  totalBytesMax: size({ min: 1 })
    .default(64 * 1024 ** 2)
    .describe("Octets of all responses that wait at a time, in one worker."),
})

const options = z
  .strictObject({
    request: z
      .union([z.boolean(), requestOption])
      .default(true)
      .describe("The peer is asked when all of the request's body has come: a slow upload holds no peer, and the length is known."),
    response: z
      .union([z.boolean(), responseOption])
      .default(false)
      .describe("The response is taken from the peer as fast as it comes: a slow client holds no peer."),
  })
  .refine(({ request, response }) => request !== false || response !== false, "nothing is buffered: set request, response or both")
  .prefault({})

export default defineFilter({
  name: "buffer",
  summary: "Holds request bodies until they are whole, and takes responses ahead of slow clients.",
  options,
  build(settings, deps) {
    const request = settings.request === true ? requestOption.parse({}) : settings.request
    const response = settings.response === true ? responseOption.parse({}) : settings.response
    const uploads = request === false ? null : new Uploads({ ...request, bytes: 0, overflowed: overflowCounter(deps) }, deps.slot())
    const downloads = response === false ? null : new Downloads(response.bytesMax, response.totalBytesMax, deps.slot())
    return {
      ...(uploads === null ? {} : { request: (x: Exchange) => uploads.hold(x) }),
      response(x) {
        uploads?.release(x)
        return downloads === null ? NEXT : downloads.take(x)
      },
      log(x) {
        uploads?.release(x)
        downloads?.release(x)
      },
      describe: () =>
        [request && `requests up to ${formatSize(request.bytesMax)}`, response && `responses up to ${formatSize(response.bytesMax)}`]
          .filter(said => said !== false)
          .join(", "),
    }
  },
})

function overflowCounter(deps: FilterDeps): () => void {
  const counter = deps.counter("buffer_overflows", "Request bodies that were too large to wait, or for which there was no room.")
  return () => counter.add(1)
}

class Uploads {
  private readonly room: RequestRoom
  private readonly slot: number

  constructor(room: RequestRoom, slot: number) {
    this.room = room
    this.slot = slot
  }

  hold(x: Exchange): Verdict {
    if (x.requestBody === BODY_NONE || isGrpc(x)) return NEXT
    const held = new HeldRequest(this.room)
    x.slots[this.slot] = held
    return held.begin(x)
  }

  /** Once an answer comes nobody sends the request again. */
  release(x: Exchange): void {
    const held = x.slots[this.slot] as HeldRequest | undefined
    held?.release()
  }
}

/** Calls that stream both ways would wait for each other. */
function isGrpc(x: Exchange): boolean {
  return fieldText(x.request, "content-type").toLowerCase().startsWith("application/grpc")
}

class Downloads {
  private readonly bytesMax: number
  private readonly room: AheadRoom
  private readonly slot: number

  constructor(bytesMax: number, totalBytesMax: number, slot: number) {
    this.bytesMax = bytesMax
    this.room = { bytes: 0, bytesMax: totalBytesMax }
    this.slot = slot
  }

  /** What is in memory already, a local reply or what a cache has, waits where it is. */
  take(x: Exchange): Verdict {
    const isLocal = x.up === null && !x.pump.responseDone
    if (isLocal || x.cacheResult === "hit" || x.responseBody === BODY_NONE || x.responseBody === BODY_TUNNEL) return NEXT
    if (x.pump.ahead === null) x.slots[this.slot] = takeAhead(x, this.bytesMax, this.room)
    return NEXT
  }

  release(x: Exchange): void {
    const ahead = x.slots[this.slot] as AheadDownstream | undefined
    ahead?.drop()
  }
}
