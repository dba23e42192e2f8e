import { z } from "zod"
import { formatSize, size } from "../../base/index.ts"
import { changeResponseBody, type Exchange, NEXT, type Verdict } from "../../flow/index.ts"
import { AcceptedCodings, BODY_CHUNKED, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, listHas, NAME, weakTag } from "../../http/index.ts"
import { defineFilter, type FilterDeps } from "../../plugin/index.ts"
import { dropField, fieldText } from "../headers/edit-fields.ts"
import { dropOctetFields, forbidsTransform, hasWholeBody, listOf, varyByCoding, weakenTag } from "./changed-fields.ts"
import { CompressedBody, type Compression } from "./compressed-body.ts"
import { type Coding, Encoders } from "./encoders.ts"
import { compileTypes, mediaTypeOf, type MediaTypes, typesOption } from "./media-type-list.ts"

const CODINGS: readonly Coding[] = ["zstd", "br", "gzip"]

const options = z
  .strictObject({
    codings: z
      .array(z.enum(CODINGS))
      .min(1)
      .refine(list => new Set(list).size === list.length, "each coding once")
      .default([...CODINGS])
      .describe("Codings that are made; of those that a client weighs the same the first counts."),
    levels: z
      .strictObject({
        zstd: z.int().min(1).max(12).default(3).describe("Effort of zstd."),
        br: z.int().min(0).max(9).default(3).describe("Effort of brotli."),
        gzip: z.int().min(1).max(9).default(3).describe("Effort of gzip."),
      })
      .prefault({})
      .describe("How hard each coding tries; more costs time for each response."),
    minBytes: size().default(1024).describe("Shorter bodies go as they are, where their length is known in time."),
    types: typesOption
      .optional()
      .describe(
        "Media types that are compressed. Default: text, JSON, JavaScript, XML, SVG, WebAssembly, plain fonts. Event streams only where named in full.",
      ),
    wholeBytesMax: size({ max: 1024 ** 2 })
      .default(64 * 1024)
      .describe("Bodies up to here that are there at once are compressed in one go and have a Content-Length."),
    streamsMax: z.int().min(1).default(512).describe("Longer bodies on their way at a time in a worker; further ones go as they are."),
  })
  .prefault({})

type Options = z.infer<typeof options>

export default defineFilter({
  name: "compress",
  summary: "Compresses responses in the coding that the client likes best.",
  options,
  build(settings, deps) {
    const filter = new Compress(settings, deps)
    return {
      identify: x => filter.remember(x),
      upstreamRequest: x => filter.ask(x),
      response: x => filter.answer(x),
      log: x => filter.release(x),
      describe: () => `${settings.codings.join(", ")} from ${formatSize(settings.minBytes)}`,
    }
  },
})

class Compress {
  private readonly codings: readonly Coding[]
  private readonly accepted: AcceptedCodings
  private readonly types: MediaTypes
  private readonly streamed: boolean
  private readonly of: Compression
  /** What the client accepts, from before other filters change the request. */
  private readonly acceptSlot: number
  /** The body on its way. */
  private readonly bodySlot: number

  constructor(settings: Options, deps: FilterDeps) {
    this.codings = settings.codings
    this.accepted = new AcceptedCodings(settings.codings)
    this.types = compileTypes(settings.types)
    this.streamed = settings.types?.includes(EVENTS) ?? false
    this.acceptSlot = deps.slot()
    this.bodySlot = deps.slot()
    const before = deps.counter("compress_before_bytes", "Octets of bodies before they were compressed.")
    const after = deps.counter("compress_after_bytes", "Octets of bodies behind their compression.")
    const refused = deps.counter("compress_streams_max", "Bodies that went as they are because streamsMax was reached.")
    const { minBytes, wholeBytesMax, streamsMax } = settings
    this.of = {
      ...{ encoders: new Encoders(settings.levels), minBytes, wholeBytesMax, streamsMax, streams: 0 },
      saved(from, to) {
        before.add(from)
        after.add(to)
      },
      refused: () => refused.add(1),
    }
  }

  /** Whoever wants it unchanged wants no coding either (RFC 9111 section 5.2.1.6). */
  remember(x: Exchange): Verdict {
    const { request } = x
    if (!request.has(NAME.acceptEncoding)) return NEXT
    if (request.has(NAME.cacheControl) && listHas(request.joined(NAME.cacheControl), "no-transform")) return NEXT
    x.slots[this.acceptSlot] = this.accepted.of(request.joined(NAME.acceptEncoding))
    return NEXT
  }

  /** A tag that was weakened here is the peer's strong one, and there are peers that do not know it again: it gets both, which mean the same (RFC 9110 section 13.1.2). */
  ask(x: Exchange): Verdict {
    const { request } = x
    if (!request.has(NAME.ifNoneMatch)) return NEXT
    const known = request.joined(NAME.ifNoneMatch)
    if (known.startsWith('W/"') && known.indexOf('"', 3) === known.length - 1) request.extra += `If-None-Match: ${known.slice(2)}\r\n`
    return NEXT
  }

  answer(x: Exchange): Verdict {
    if (x.status === 304) this.keepTag(x)
    if (!this.mayEncode(x)) return NEXT
    varyByCoding(x)
    const wanted = x.slots[this.acceptSlot] as readonly number[] | undefined
    if (wanted === undefined || wanted.length === 0) return NEXT
    const coding = this.codings[wanted[0]!]!
    if (x.method === "HEAD") setHead(x, coding)
    else {
      const body = new CompressedBody(x, this.of, coding, x.responseBody === BODY_LENGTH ? x.responseLength : -1)
      changeResponseBody(x, body)
      // A local reply in place of an answer that did not come to its end.
      this.release(x)
      x.slots[this.bodySlot] = body
    }
    return NEXT
  }

  private mayEncode(x: Exchange): boolean {
    const { response, responseBody } = x
    if (!hasWholeBody(x) || responseBody === BODY_TUNNEL || (responseBody === BODY_NONE && x.method !== "HEAD")) return false
    if (responseBody === BODY_LENGTH && x.responseLength < this.of.minBytes) return false
    if (listOf(response, NAME.contentEncoding, "content-encoding") !== "") return false
    const type = fieldText(response, "content-type")
    return this.types.has(type) && this.isNoStream(type) && !forbidsTransform(x)
  }

  /** Events would each cost a flush and hold an encoder for hours; what gRPC sends it compresses by itself. */
  private isNoStream(contentType: string): boolean {
    const type = mediaTypeOf(contentType)
    return type === EVENTS ? this.streamed : !type.startsWith("application/grpc")
  }

  /** Who knows the weakened tag gets it again (RFC 9110 section 15.4.5). */
  private keepTag(x: Exchange): void {
    const tag = fieldText(x.response, "etag")
    const weak = weakTag(tag)
    if (weak === tag || !x.request.joined(NAME.ifNoneMatch).includes(weak)) return
    weakenTag(x)
    varyByCoding(x)
  }

  release(x: Exchange): void {
    const body = x.slots[this.bodySlot] as CompressedBody | undefined
    body?.close()
  }
}

const EVENTS = "text/event-stream"

/** What a GET would be told; not how long it is. */
function setHead(x: Exchange, coding: Coding): void {
  dropOctetFields(x.response)
  dropField(x.response, "content-encoding")
  x.response.append("Content-Encoding", coding)
  weakenTag(x)
  x.responseBody = BODY_CHUNKED
}
