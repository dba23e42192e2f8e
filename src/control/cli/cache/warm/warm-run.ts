import { readCacheStatus } from "./cache-status.ts"
import type { Sender } from "./destination.ts"
import { Fetch } from "./fetch.ts"
import type { Asked } from "./most-asked.ts"

/** Failures in a row after which there is nobody to ask. */
export const FAILURES_IN_A_ROW_MAX = 50
/** Failed URLs that are told. */
const FAILED_URLS_MAX = 10

export interface WarmSettings {
  readonly concurrency: number
  /** Requests a second; 0 = as fast as they are answered. */
  readonly rate: number
  /** A request has failed when nothing comes for this long. */
  readonly silenceMs: number
}

export interface WarmResult {
  asked: number
  hit: number
  stored: number
  waited: number
  uncacheable: number
  /** Answers without our member of Cache-Status. */
  none: number
  failed: number
  octets: number
  /** Answers by status. */
  readonly statuses: Map<number, number>
  /** Why answers were not stored. */
  readonly reasons: Map<string, number>
  /** Why requests failed. */
  readonly failures: Map<string, number>
  readonly failedUrls: string[]
  /** It ended before all was asked. */
  stopped: "" | "interrupted" | "nobody answers"
  elapsedMs: number
}

/** Asks for every URL once, several at a time, and counts what the cache says. Bodies are read and dropped. */
export class WarmRun {
  readonly result: WarmResult = {
    asked: 0,
    hit: 0,
    stored: 0,
    waited: 0,
    uncacheable: 0,
    none: 0,
    failed: 0,
    octets: 0,
    statuses: new Map(),
    reasons: new Map(),
    failures: new Map(),
    failedUrls: [],
    stopped: "",
    elapsedMs: 0,
  }
  private readonly all: readonly Asked[]
  private readonly senderOf: (asked: Asked) => Sender
  private readonly settings: WarmSettings
  private readonly running = new Set<Fetch>()
  private readonly startedAt = performance.now()
  private readonly pauses = new Set<() => void>()
  private next = 0
  private failuresInARow = 0
  private nextAt = 0

  constructor(all: readonly Asked[], senderOf: (asked: Asked) => Sender, settings: WarmSettings) {
    this.all = all
    this.senderOf = senderOf
    this.settings = settings
  }

  /** Resolves when all are answered, or soon after `stop`. */
  async run(): Promise<WarmResult> {
    await Promise.all(Array.from({ length: Math.min(this.settings.concurrency, this.all.length) }, () => this.work()))
    this.result.elapsedMs = performance.now() - this.startedAt
    return this.result
  }

  /** Ends what runs and asks for nothing more. */
  stop(why: "interrupted" | "nobody answers"): void {
    if (this.result.stopped !== "") return
    this.result.stopped = why
    for (const fetch of this.running) fetch.cancel(why)
    for (const wake of this.pauses) wake()
  }

  private async work(): Promise<void> {
    while (this.result.stopped === "" && this.next < this.all.length) {
      const asked = this.all[this.next++]!
      await this.turn()
      if (this.result.stopped !== "") return
      await this.ask(asked)
    }
  }

  /** Waits until the rate allows another request. */
  private async turn(): Promise<void> {
    if (this.settings.rate === 0) return
    const now = performance.now()
    const at = Math.max(now, this.nextAt)
    this.nextAt = at + 1000 / this.settings.rate
    if (at > now) await this.pause(at - now)
  }

  private pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        clearTimeout(timer)
        this.pauses.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.pauses.add(wake)
    })
  }

  private async ask(asked: Asked): Promise<void> {
    const fetch = new Fetch(this.senderOf(asked), asked, this.settings.silenceMs)
    this.running.add(fetch)
    const outcome = await fetch.outcome
    this.running.delete(fetch)
    // what `stop` ended is none of the server's failures
    if (this.result.stopped !== "") return
    if ("failure" in outcome) this.failed(asked, outcome.failure)
    else this.answered(outcome.status, outcome.cacheStatus, outcome.octets)
  }

  private answered(status: number, cacheStatus: string, octets: number): void {
    const { result } = this
    const { did, reason } = readCacheStatus(cacheStatus)
    this.failuresInARow = 0
    result.asked++
    result.octets += octets
    result[did]++
    bump(result.statuses, status)
    if (did === "uncacheable") bump(result.reasons, reason)
  }

  private failed(asked: Asked, reason: string): void {
    const { result } = this
    result.asked++
    result.failed++
    bump(result.failures, reason)
    if (result.failedUrls.length < FAILED_URLS_MAX) result.failedUrls.push(`${asked.scheme || "http"}://${asked.authority}${asked.target}`)
    if (++this.failuresInARow >= FAILURES_IN_A_ROW_MAX) this.stop("nobody answers")
  }
}

function bump<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
