import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib"
import type { RE2JS } from "re2js"
import type { Fields } from "../../http/index.ts"
import { dropPath, firstDifference, type JsonPath, parseJsonPath } from "./json-path.ts"
import { type HeaderRule, type MirrorOptions, patternsOf } from "./options.ts"

/** An answer as it is compared. */
export interface SeenAnswer {
  readonly status: number
  /** Values by lower-case name, octets. */
  readonly headers: ReadonlyMap<string, string>
  /** null = not whole, too long, or not looked at. */
  readonly body: Uint8Array | null
}

/** What differs: status, fields by name, and where the bodies do. Never a value. */
export interface Differences {
  /** `200/500`: the client's and the copy's; "" = the same. */
  readonly status: string
  readonly headers: readonly string[]
  /** `$.price`, or `octet 17`; "" = the same. */
  readonly body: string
}

/** Fields that differ between any two answers, or belong to one connection; the length is the body's matter. */
const ALWAYS = new Set([
  "date",
  "age",
  "via",
  "set-cookie",
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "content-length",
  "content-encoding",
  "trailer",
])

/** Octets that a compressed body may grow to for each of its own limit: what is longer is compared as it is. */
const GROWTH_MAX = 16

export function headersOf(fields: Fields): Map<string, string> {
  const out = new Map<string, string>()
  fields.forEach((name, value) => {
    const lower = name.toLowerCase()
    const before = out.get(lower)
    out.set(lower, before === undefined ? value : `${before}, ${value}`)
  })
  return out
}

/** Compares two answers by the rules of one filter. */
export class AnswerComparer {
  private readonly status: boolean
  private readonly headers: HeaderRule
  private readonly body: { readonly bytesMax: number; readonly paths: readonly JsonPath[]; readonly patterns: readonly RE2JS[] } | null

  constructor({ status, headers, body }: NonNullable<MirrorOptions["compare"]>) {
    this.status = status
    this.headers = headers
    const paths = (body?.ignore ?? []).filter(text => text.startsWith("$")).map(text => parseJsonPath(text)!)
    this.body = body === undefined ? null : { bytesMax: body.bytesMax, paths, patterns: patternsOf(body.ignore) }
  }

  /** null = nothing differs that counts. */
  compare(client: SeenAnswer, copy: SeenAnswer): Differences | null {
    const status = this.status && client.status !== copy.status ? `${client.status}/${copy.status}` : ""
    // Answers of another status have other fields and bodies: that is one difference, not three.
    const headers = status === "" ? this.compareHeaders(client.headers, copy.headers) : []
    const body = status === "" ? this.compareBodies(client, copy) : ""
    return status === "" && headers.length === 0 && body === "" ? null : { status, headers, body }
  }

  private compareHeaders(client: SeenAnswer["headers"], copy: SeenAnswer["headers"]): string[] {
    const { only, ignore } = this.headers
    const names = only ?? [...new Set([...client.keys(), ...copy.keys()])].filter(name => !ALWAYS.has(name) && !ignore.includes(name))
    return names.filter(name => client.get(name) !== copy.get(name))
  }

  private compareBodies(client: SeenAnswer, copy: SeenAnswer): string {
    const { body } = this
    if (body === null || client.body === null || copy.body === null || Buffer.compare(client.body, copy.body) === 0) return ""
    const [a, b] = [this.textOf(client), this.textOf(copy)]
    if (a === b) return ""
    const [one, two] = [jsonOf(a), jsonOf(b)]
    if (one === undefined || two === undefined) return `octet ${firstOctet(a, b)}`
    for (const path of body.paths) {
      dropPath(one, path)
      dropPath(two, path)
    }
    return firstDifference(one, two)
  }

  private textOf({ headers, body }: SeenAnswer): string {
    let text = decoded(body!, headers.get("content-encoding") ?? "", this.body!.bytesMax * GROWTH_MAX).toString("latin1")
    for (const pattern of this.body!.patterns) text = pattern.matcher(text).replaceAll("")
    return text
  }
}

/** The content without its coding; as it is where that cannot be undone. */
function decoded(body: Uint8Array, coding: string, maxOutputLength: number): Buffer {
  const octets = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  try {
    if (coding === "gzip" || coding === "x-gzip") return gunzipSync(octets, { maxOutputLength })
    if (coding === "br") return brotliDecompressSync(octets, { maxOutputLength })
    if (coding === "deflate") return inflateSync(octets, { maxOutputLength })
    if (coding === "zstd") return zstdDecompressSync(octets, { maxOutputLength })
  } catch {
    // Damaged, or too long: then it is compared as it came.
  }
  return octets
}

function jsonOf(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined
  try {
    return JSON.parse(Buffer.from(text, "latin1").toString("utf8")) as unknown
  } catch {
    return undefined
  }
}

function firstOctet(a: string, b: string): number {
  let at = 0
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  return at
}
