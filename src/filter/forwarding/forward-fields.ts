// HOT
import { FAULT } from "../../base/index.ts"
import { type BodyChange, changeRequestBody, type Exchange, FAULT_VERDICT, NEXT, type Step, type Verdict } from "../../flow/index.ts"
import { BODY_CHUNKED, NAME } from "../../http/index.ts"
import { dropAddresses, dropIdentities } from "./telling-fields.ts"
import { hasPassed } from "./via.ts"

/**
 * What the origin learns of the client:
 *
 *   level        | Via            | X-Forwarded-For, Forwarded | X-Real-IP and its like | From    | Referer | trailers | ids, hints, entity tags
 *   transparent  | added          | client added               | kept                   | kept    | kept    | kept     | kept
 *   standard     | ours alone     | removed                    | removed                | kept    | kept    | kept     | kept
 *   anonymous    | removed        | removed                    | removed                | removed | kept    | removed  | kept
 *   high         | removed        | removed                    | removed                | removed | removed | removed  | removed
 *
 * What counts as which stands in telling-fields.ts.
 */
export type Privacy = "transparent" | "standard" | "anonymous" | "high"

export interface ForwardFieldsOptions {
  /** Our pseudonym, unique to this process and listener. */
  readonly via: string
  readonly sendVia: boolean
  readonly privacy: Privacy
}

/** Request fields towards an origin. Credentials and connection fields of the proxy never travel on (RFC 9110 sections 7.6.1 and 11.7.2). */
export function forwardRequestStep(options: ForwardFieldsOptions): Step {
  const { via, privacy } = options
  const sends = options.sendVia && (privacy === "transparent" || privacy === "standard")
  const hides = privacy !== "transparent"
  const anonymous = privacy === "anonymous" || privacy === "high"
  // allow(closure): once a route
  return function forwardRequest(x: Exchange): Verdict {
    const fields = x.request
    if (fields.has(NAME.via) && hasPassed(fields, via)) {
      x.fault = FAULT.loop
      return FAULT_VERDICT
    }
    fields.remove(NAME.proxyAuthorization)
    if (hides) hideClient(x)
    else addClient(x)
    if (anonymous) {
      fields.remove(NAME.from)
      if (x.requestBody === BODY_CHUNKED) dropTrailers(x)
      if (privacy === "high") {
        fields.remove(NAME.referer)
        dropIdentities(fields)
      }
    }
    // The version that the request came by (RFC 9110 section 7.6.3).
    if (sends) fields.append("Via", `${x.version < 10 ? `SOCKS/${x.version}` : (x.version / 10).toFixed(1)} ${via}`)
    return NEXT
  }
}

function hideClient(x: Exchange): void {
  const fields = x.request
  fields.remove(NAME.via)
  fields.remove(NAME.xForwardedFor)
  fields.remove(NAME.xForwardedProto)
  fields.remove(NAME.xForwardedHost)
  fields.remove(NAME.xForwardedPort)
  fields.remove(NAME.forwarded)
  fields.remove(NAME.xRealIp)
  fields.remove(NAME.clientIp)
  fields.remove(NAME.xClientIp)
  fields.remove(NAME.trueClientIp)
  dropAddresses(fields)
}

function dropTrailers(x: Exchange): void {
  x.request.remove(NAME.trailer)
  changeRequestBody(x, new NoTrailers())
}

const NOTHING = new Uint8Array(0)

/** A body as it comes, without what stands behind it. */
class NoTrailers implements BodyChange {
  readonly keepsOctets = true
  readonly trailers = ""

  push(chunk: Uint8Array): Uint8Array {
    return chunk
  }

  end(): Uint8Array {
    return NOTHING
  }
}

function addClient(x: Exchange): void {
  const chain = x.request.joined(NAME.xForwardedFor)
  x.request.set(NAME.xForwardedFor, "X-Forwarded-For", chain === "" ? x.clientAddress : `${chain}, ${x.clientAddress}`)
}

/** Response fields from an origin: a challenge of its proxy is none of our client's business. */
export function forwardResponseStep(options: ForwardFieldsOptions): Step {
  const viaLine = options.sendVia && (options.privacy === "transparent" || options.privacy === "standard") ? `1.1 ${options.via}` : ""
  // allow(closure): once a route
  return function forwardResponse(x: Exchange): Verdict {
    x.response.remove(NAME.proxyAuthenticate)
    x.response.remove(NAME.proxyAuthenticationInfo)
    if (viaLine !== "") x.response.append("Via", viaLine)
    return NEXT
  }
}
