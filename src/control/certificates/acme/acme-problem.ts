import type { Answer } from "./https-client.ts"

const PREFIX = "urn:ietf:params:acme:error:"

/** A problem that the issuer told of (RFC 8555 section 6.7). */
export class AcmeProblem extends Error {
  override name = "AcmeProblem"
  /** Without its prefix: `rateLimited`, `badNonce` …; "" = none was said. */
  readonly kind: string
  readonly status: number
  /** Milliseconds that the issuer wants to be left alone; 0 = it did not say. */
  readonly retryAfterMs: number

  constructor(kind: string, detail: string, status = 0, retryAfterMs = 0) {
    super(kind === "" ? detail : `${kind}: ${detail}`)
    this.kind = kind
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

interface ProblemDocument {
  readonly type?: unknown
  readonly detail?: unknown
  readonly subproblems?: unknown
}

/** An answer that says no. */
export function problemOf(answer: Answer): AcmeProblem {
  const { kind, detail } = readProblem(parse(answer.body))
  const { status } = answer
  return new AcmeProblem(kind, detail === "" ? `it answered ${status}` : detail, status, retryAfterMs(answer.headers["retry-after"]))
}

/** The problem in an order, an authorization or a challenge. */
export function readProblem(value: unknown): { kind: string; detail: string } {
  const { type, detail, subproblems } = (typeof value === "object" && value !== null ? value : {}) as ProblemDocument
  const kind = typeof type === "string" && type.startsWith(PREFIX) ? type.slice(PREFIX.length) : ""
  const own = typeof detail === "string" ? detail.slice(0, 500) : ""
  const first: unknown = Array.isArray(subproblems) ? subproblems[0] : undefined
  const below = first === undefined ? "" : readProblem(first).detail
  return { kind, detail: below === "" ? own : `${own} (${below})` }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Seconds or a date (RFC 9110 section 10.2.3), in milliseconds from now; 0 = neither. */
export function retryAfterMs(value: string | undefined, nowMs: number = Date.now()): number {
  if (value === undefined) return 0
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const at = Date.parse(value)
  return Number.isNaN(at) ? 0 : Math.max(0, at - nowMs)
}
