import { field, type StrictMessage } from "../support/strict-reader.ts"
import {
  ageMs,
  type Asked,
  type Content,
  directives,
  type Exchanged,
  isCollapsed,
  isVariantFor,
  type ModelPolicy,
  storedOf,
  whyNotReused,
  whyNotStored,
} from "./cache-model.ts"
import { type CacheOrigins, rangeOf } from "./cache-origin.ts"
import { bodyOf } from "./script.ts"

/** A peer that says nothing for so long has failed; what is waited for may have been asked for before the request came. */
const PATIENCE_MS = 60_000

export interface Purge {
  readonly path: string
  readonly soft: boolean
  readonly seq: number
}

/** Says what is wrong with an answer, from what the origins were asked and answered, what was purged, and the model of a cache. */
export class CacheJudge {
  readonly purges: Purge[] = []
  private readonly origins: CacheOrigins
  private readonly policy: ModelPolicy

  constructor(origins: CacheOrigins, policy: ModelPolicy) {
    this.origins = origins
    this.policy = policy
  }

  purged(path: string, soft: boolean): void {
    this.purges.push({ path, soft, seq: ++this.origins.seq })
  }

  /** A whole answer, or (`whole` false) as much of one as came. */
  problems(asked: Asked, message: StrictMessage, whole: boolean): string[] {
    const why = this.judge(asked, message, whole)
    return why === ""
      ? []
      : [`${asked.id} ${asked.method} ${asked.path} ${JSON.stringify(asked.request)}: ${why} in ${JSON.stringify(message).slice(0, 600)}`]
  }

  private judge(asked: Asked, message: StrictMessage, whole: boolean): string {
    const { journal } = this.origins
    const said = field(message, "x-r")
    const validated = field(message, "x-v")
    if (said === undefined && validated === undefined) return this.judgeOther(asked, message, whole)
    const first = journal[Number(said)]
    const validation = validated === undefined ? null : journal[Number(validated)]!
    if (said === undefined) return validation!.asker === asked.id ? "" : "somebody else's 304"
    if (first === undefined || first.path !== asked.path) return "an answer to another URL"
    const isOwn = first.asker === asked.id || validation?.asker === asked.id
    return (first.asker === asked.id ? "" : this.judgeStored(asked, first, validation, isOwn)) || judgeBody(asked, message, first, whole)
  }

  /** Without the origin's mark: our own words, or an error of the origin's. */
  private judgeOther(asked: Asked, message: StrictMessage, whole: boolean): string {
    const { status, body } = message
    const own = this.origins.journal.find(({ asker }) => asker === asked.id)
    if (asked.method !== "GET" && asked.method !== "HEAD" && status === 200) return own === undefined ? "nobody was asked" : ""
    if (body.includes("fault: proxy.internal")) return "a defect"
    if (status === 504 && directives(asked.request["cache-control"])["only-if-cached"]) return ""
    if (status === 416 && asked.request.range !== undefined) return ""
    if (status === 404 && (whole ? body === "nothing" || asked.method === "HEAD" : "nothing".startsWith(body))) return ""
    if (status >= 500 && this.hasFailed(asked)) return ""
    if (status === 503 && own?.status === 503) return ""
    return "an answer that nobody gave"
  }

  private judgeStored(asked: Asked, first: Exchanged, validation: Exchanged | null, isOwn: boolean): string {
    const refused = whyNotStored(first)
    if (refused !== "") return `stored against ${refused}`
    const stored = storedOf(first, validation)
    const since = Math.max(first.readSeq, validation?.readSeq ?? 0)
    const reaching = this.purges.filter(({ path, seq }) => path === asked.path && seq > since && seq < asked.seq)
    if (reaching.some(({ soft }) => !soft)) return "what was there before a purge"
    if (isOwn) return ""
    const circumstances = { policy: this.policy, marked: reaching.length > 0, failed: this.hasFailed(asked) }
    const why = isVariantFor(stored, asked.request) && isCollapsed(stored, asked) ? "" : whyNotReused(stored, asked, circumstances)
    return why === "" ? "" : `${why} (age ${ageMs(stored, asked.at)} ms when it was asked for)`
  }

  /** Something has gone wrong since the request came, or it has waited for long. */
  private hasFailed({ path, seq, at }: Asked): boolean {
    const { journal, troubleAt, now, startMs } = this.origins
    if (troubleAt >= at || now - startMs >= PATIENCE_MS) return true
    return journal.some(({ path: of, status, headSeq }) => of === path && status >= 500 && headSeq > seq)
  }
}

function judgeBody(asked: Asked, message: StrictMessage, first: Exchanged, whole: boolean): string {
  const { status, body } = message
  const { content } = first
  if (content === null) return "a body of nothing"
  if (status === 304) return isConditional(asked) ? "" : "a 304 that nobody asked for"
  if (asked.method === "HEAD") return body === "" ? "" : "a body for HEAD"
  const from = status === 206 ? firstOf(message) : 0
  const text = bodyOf(content.id, content.length)
  if (body !== text.slice(from, from + body.length)) return `octets that are not those of ${content.id}`
  if (status === 200) return !whole || body.length === content.length ? "" : `${body.length} octets of ${content.length} as if they were all`
  if (status !== 206) return status === 416 ? "" : `status ${status}`
  return judgePart(asked, message, content, whole)
}

function judgePart(asked: Asked, message: StrictMessage, content: Content, whole: boolean): string {
  const range = rangeOf({ range: asked.request.range ?? "" }, content)
  if (range === null) return "a part for somebody who wants the whole"
  const [first, last] = range
  if (field(message, "content-range") !== `bytes ${first}-${last}/${content.length}`) return `not the part ${first}-${last}`
  return !whole || message.body.length === last + 1 - first ? "" : "too little of the part"
}

function firstOf(message: StrictMessage): number {
  return Number(/^bytes (\d+)-/.exec(field(message, "content-range") ?? "")?.[1] ?? Number.NaN)
}

function isConditional({ request }: Asked): boolean {
  return request["if-none-match"] !== undefined || request["if-modified-since"] !== undefined
}
