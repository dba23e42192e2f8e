import type { Exchange } from "../../flow/index.ts"
import { fieldText } from "../headers/edit-fields.ts"

/** Says that a request is a copy; such a request is not copied again. */
export const MIRROR_FIELD = "X-Bothways-Mirror"

/** Of one connection (RFC 9110 section 7.6.1), or made anew for the copy. */
const LEFT_OUT = new Set([
  ...[
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
    "expect",
    "http2-settings",
  ],
  "x-bothways-mirror",
])
const SECRETS = new Set(["authorization", "proxy-authorization", "cookie"])

/** What a copy of a request consists of besides its body. */
export interface CopiedRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly authority: string
  /** Ready-made lines. */
  readonly fields: string
}

/** The request as it stands now: with what the proxy and the filters before have added. */
export function copyRequest(x: Exchange, secrets: "keep" | "drop"): CopiedRequest {
  let fields = ""
  for (const line of x.request.render().split("\r\n")) {
    const name = line.slice(0, Math.max(0, line.indexOf(":"))).toLowerCase()
    if (name === "" || LEFT_OUT.has(name) || (secrets === "drop" && SECRETS.has(name))) continue
    fields += `${line}\r\n`
  }
  fields += `${MIRROR_FIELD}: 1\r\n`
  return { method: x.method, path: x.path + x.query, authority: fieldText(x.request, "host") || x.authority, fields }
}
