import { log } from "../base/index.ts"
import type { AskOutside } from "./ask-outside.ts"

/** What somebody publishes cannot be had, and what he published before is too old or was never there. */
export class Unavailable extends Error {
  override name = "Unavailable"
}

export interface PublishedTimes {
  /** The document is asked for again after this time, while the old one serves. */
  readonly refreshMs: number
  /** After a failure, and when something is missing in it, it is asked for no more often than this. */
  readonly refetchMs: number
  /** An older one is not used any more. */
  readonly staleMs: number
  readonly timeoutMs: number
}

/** After a failure nobody asks again for so long, whoever needs the document. */
const FAILED_MS = 1000

/** A document that is fetched once for all who need it, and again before it is old. Times are of the wall clock. */
export class Published<Value> {
  /** Grows when the document changes. */
  version = 0
  value: Value | null = null
  /** From here on nothing in it may be believed any more. */
  goodUntilMs = 0
  refreshAtMs = 0
  private readonly parse: (text: string) => Value
  private text = ""
  private askedAtMs = 0
  private failedAtMs = 0
  private running: Promise<boolean> | null = null

  /** `parse` throws when a text is not such a document. */
  constructor(parse: (text: string) => Value) {
    this.parse = parse
  }

  /** The last attempt brought nothing. */
  get failed(): boolean {
    return this.failedAtMs > 0
  }

  get sinceAskedMs(): number {
    return Date.now() - this.askedAtMs
  }

  /** Asks, once at a time. True = another document than before. Throws Unavailable. */
  fetch(url: URL, ask: AskOutside, times: PublishedTimes): Promise<boolean> {
    if (this.running !== null) return this.running
    if (this.failed && Date.now() - this.failedAtMs < FAILED_MS) return Promise.reject(new Unavailable("it could not be had a moment ago"))
    this.askedAtMs = Date.now()
    this.refreshAtMs = this.askedAtMs + times.refreshMs
    this.running = this.load(url, ask, times).finally(() => {
      this.running = null
    })
    return this.running
  }

  private async load(url: URL, ask: AskOutside, times: PublishedTimes): Promise<boolean> {
    try {
      const { status, body } = await ask({ method: "GET", url, fields: { Accept: "application/json" }, body: null, timeoutMs: times.timeoutMs })
      if (status !== 200) throw new Error(`status ${status}`)
      return this.take(body, times)
    } catch (error) {
      this.failedAtMs = Date.now()
      this.refreshAtMs = this.failedAtMs + Math.min(times.refetchMs, times.refreshMs)
      const reason = error instanceof Error ? error.message : String(error)
      log.warn("filter", "what a log-in depends on cannot be had; the last version stays until it is too old", { url: url.href, reason })
      throw new Unavailable(reason)
    }
  }

  private take(body: string, times: PublishedTimes): boolean {
    const isNew = body !== this.text
    if (isNew) {
      this.value = this.parse(body)
      this.text = body
      this.version++
    }
    this.failedAtMs = 0
    this.goodUntilMs = Date.now() + times.staleMs
    return isNew
  }
}

const documents = new Map<string, Published<unknown>>()
const DOCUMENTS_MAX = 256

/**
 * The document of a kind at this place. Kept over reloads, so that one that comes while the publisher is down takes nobody's log-in.
 * `through`: name of the cluster, "" for none.
 */
export function publishedAt<Value>(kind: string, url: URL, through: string, parse: (text: string) => Value): Published<Value> {
  const name = `${kind} ${through} ${url.href}`
  let document = documents.get(name)
  if (document === undefined) {
    if (documents.size >= DOCUMENTS_MAX) documents.clear()
    document = new Published<unknown>(parse)
    documents.set(name, document)
  }
  return document as Published<Value>
}
