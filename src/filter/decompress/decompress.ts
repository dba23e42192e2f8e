import { z } from "zod"
import { FAULT, formatSize, size } from "../../base/index.ts"
import { changeRequestBody, changeResponseBody, type Exchange, FAULT_VERDICT, NEXT, type Verdict } from "../../flow/index.ts"
import { AcceptedCodings, BODY_CHUNKED, BODY_LENGTH, BODY_NONE, BODY_TUNNEL, NAME } from "../../http/index.ts"
import { defineFilter } from "../../plugin/index.ts"
import { dropOctetFields, forbidsTransform, hasWholeBody, listOf, varyByCoding, weakenTag } from "../compress/changed-fields.ts"
import { dropField } from "../headers/edit-fields.ts"
import { type Decodable, decodableOf } from "./decoders.ts"
import { InflatedBody, type InflateLimits } from "./inflated-body.ts"

/** One in the other; nobody means more. */
const CODINGS_MAX = 5
const KNOWN: readonly Decodable[] = ["gzip", "deflate", "br", "zstd"]

const limitsOption = (inflatedBytesMax: number) =>
  z.strictObject({
    inflatedBytesMax: size({ min: 1 }).default(inflatedBytesMax).describe("Octets that an inflated body may have."),
    ratioMax: z.int().min(2).default(200).describe("How many times larger than what came a body may get, beyond the first megabyte."),
  })

const options = z
  .strictObject({
    request: z
      .union([z.boolean(), limitsOption(10 * 1024 ** 2)])
      .default(true)
      .describe("Request bodies are inflated before they go on, so that the peer need not know codings; or the limits for it."),
    response: z
      .union([
        z.enum(["never", "needed", "always"]).transform(when => ({ when, ...limitsOption(100 * 1024 ** 2).parse({}) })),
        limitsOption(100 * 1024 ** 2).extend({
          when: z.enum(["never", "needed", "always"]).default("needed").describe("needed = for clients that do not take the coding."),
        }),
      ])
      .prefault("never")
      .describe(
        "Responses are inflated never, where a client does not accept what the peer has sent (needed), or always, so that filters behind this one can read them.",
      ),
  })
  .prefault({})

type Options = z.infer<typeof options>

export default defineFilter({
  name: "decompress",
  summary: "Inflates request bodies for peers that cannot, and responses for clients and filters that cannot.",
  options,
  build(settings, deps) {
    const { request, response } = settings
    const filter = new Decompress(settings, deps.slot(), deps.slot(), deps.slot())
    return {
      ...(response.when !== "never" ? { identify: (x: Exchange) => filter.remember(x), response: (x: Exchange) => filter.inflateResponse(x) } : {}),
      ...(request !== false ? { request: (x: Exchange) => filter.inflateRequest(x) } : {}),
      log: x => filter.release(x),
      describe: () => describe(settings),
    }
  },
})

function describe({ request, response }: Options): string {
  const said = request === false ? [] : [`requests up to ${formatSize(limitsOf(request).inflatedBytesMax)}`]
  if (response.when !== "never") said.push(`responses ${response.when === "always" ? "always" : "where needed"}`)
  return said.join("; ")
}

function limitsOf(request: Options["request"]): InflateLimits {
  return typeof request === "boolean" ? limitsOption(10 * 1024 ** 2).parse({}) : request
}

class Decompress {
  private readonly requestLimits: InflateLimits
  private readonly response: Options["response"]
  private readonly accepted = new AcceptedCodings(KNOWN)
  private readonly requestSlot: number
  private readonly responseSlot: number
  private readonly acceptSlot: number

  constructor(settings: Options, requestSlot: number, responseSlot: number, acceptSlot: number) {
    this.requestLimits = limitsOf(settings.request)
    this.response = settings.response
    this.requestSlot = requestSlot
    this.responseSlot = responseSlot
    this.acceptSlot = acceptSlot
  }

  inflateRequest(x: Exchange): Verdict {
    const { request } = x
    if (!request.has(NAME.contentEncoding) || x.requestBody === BODY_NONE) return NEXT
    const codings = codingsOf(request.joined(NAME.contentEncoding))
    if (codings === null) {
      x.fault = FAULT.codingUnsupported
      // RFC 9110 section 15.5.16.
      x.replyFields = `Accept-Encoding: ${KNOWN.join(", ")}\r\n`
      return FAULT_VERDICT
    }
    request.remove(NAME.contentEncoding)
    if (codings.length === 0) return NEXT
    dropOctetFields(request)
    const body = new InflatedBody(codings, this.requestLimits, { malformed: FAULT.malformed, bomb: FAULT.bodyBomb })
    x.slots[this.requestSlot] = body
    changeRequestBody(x, body)
    return NEXT
  }

  /** Before other filters change the request: what the client accepts. */
  remember(x: Exchange): Verdict {
    x.slots[this.acceptSlot] = x.request.joined(NAME.acceptEncoding)
    return NEXT
  }

  inflateResponse(x: Exchange): Verdict {
    const { response } = x
    const said = listOf(response, NAME.contentEncoding, "content-encoding")
    if (said === "" || !hasWholeBody(x) || x.responseBody === BODY_TUNNEL || forbidsTransform(x)) return NEXT
    const codings = codingsOf(said)
    if (codings === null || codings.length === 0) return NEXT
    varyByCoding(x)
    if (this.response.when === "needed" && this.accepts(x, codings)) return NEXT
    dropField(response, "content-encoding")
    dropOctetFields(response)
    weakenTag(x)
    if (x.method === "HEAD") x.responseBody = BODY_CHUNKED
    else if (x.responseBody !== BODY_NONE) {
      const body = new InflatedBody(
        codings,
        this.response,
        { malformed: FAULT.malformedResponse, bomb: FAULT.responseBomb },
        x.responseBody === BODY_LENGTH,
      )
      const former = x.slots[this.responseSlot] as InflatedBody | undefined
      former?.close()
      x.slots[this.responseSlot] = body
      changeResponseBody(x, body)
    }
    return NEXT
  }

  /** A client that says nothing of codings takes none, whatever the letter says (RFC 9110 section 12.5.3). */
  private accepts(x: Exchange, codings: readonly Decodable[]): boolean {
    const wanted = this.accepted.of(x.slots[this.acceptSlot] as string)
    return codings.every(coding => wanted.includes(KNOWN.indexOf(coding)))
  }

  release(x: Exchange): void {
    for (const slot of [this.requestSlot, this.responseSlot]) (x.slots[slot] as InflatedBody | undefined)?.close()
  }
}

/** The codings of a Content-Encoding in the order they were applied; null = one is not known here, or there are too many. */
function codingsOf(said: string): readonly Decodable[] | null {
  const codings: Decodable[] = []
  for (const name of said.split(",")) {
    const coding = decodableOf(name)
    if (coding === null || (coding !== "" && codings.push(coding) > CODINGS_MAX)) return null
  }
  return codings
}
