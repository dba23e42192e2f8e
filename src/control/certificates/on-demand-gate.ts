import type { Log } from "../../base/index.ts"
import type { AcmeConfig } from "../../config/index.ts"

export type OnDemandConfig = NonNullable<AcmeConfig["onDemand"]>

/** Questions that run at the same time: whoever makes up names shall not make us flood whoever is asked. */
const ASKING_MAX = 32
/** How long a no is remembered, and how many of them. */
const REFUSED_MS = 60_000
const REFUSED_MAX = 10_000
/** Whoever is asked and does not answer is asked again soon. */
const FAILED_MS = 5000

/** `unknown`: whoever decides did not answer, or too many questions are open. */
export type Verdict = "yes" | "no" | "unknown"

/** Decides for which names certificates are made that the config does not tell. */
export class OnDemandGate {
  readonly #options: OnDemandConfig
  readonly #log: Log
  /** What was said, and until when it is remembered. */
  readonly #refused = new Map<string, { readonly verdict: Verdict; readonly until: number }>()
  readonly #begun: number[] = []
  #asking = 0

  constructor(options: OnDemandConfig, log: Log) {
    this.#options = options
    this.#log = log
  }

  /** Never rejects. */
  async judge(name: string): Promise<Verdict> {
    const refused = this.#refused.get(name)
    if (refused !== undefined && refused.until > Date.now()) return refused.verdict
    if (this.#asking >= ASKING_MAX) return "unknown"
    this.#asking++
    try {
      if (await this.#ask(name)) return "yes"
      this.#refuse(name, "no", REFUSED_MS)
      return "no"
    } catch (error) {
      this.#log.warn("whoever decides about certificates on demand did not answer", { ask: this.#options.ask, reason: (error as Error).message })
      this.#refuse(name, "unknown", FAILED_MS)
      return "unknown"
    } finally {
      this.#asking--
    }
  }

  /** Counts one more certificate that is begun; false = too many in the last while. */
  begin(now: number = Date.now()): boolean {
    const { issuesMax, per } = this.#options
    while (this.#begun.length > 0 && this.#begun[0]! <= now - per) this.#begun.shift()
    if (this.#begun.length >= issuesMax) return false
    this.#begun.push(now)
    return true
  }

  async #ask(name: string): Promise<boolean> {
    const url = new URL(this.#options.ask)
    url.searchParams.set("domain", name)
    const answer = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(this.#options.timeout) })
    await answer.body?.cancel()
    return answer.status === 200
  }

  #refuse(name: string, verdict: Verdict, ms: number): void {
    if (this.#refused.size >= REFUSED_MAX) this.#refused.delete(this.#refused.keys().next().value!)
    this.#refused.delete(name)
    this.#refused.set(name, { verdict, until: Date.now() + ms })
  }
}
