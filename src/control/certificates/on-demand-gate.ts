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

/** Decides for which names certificates are made that the config does not tell. Says no when in doubt. */
export class OnDemandGate {
  readonly #options: OnDemandConfig
  readonly #log: Log
  /** When the no is forgotten. */
  readonly #refused = new Map<string, number>()
  readonly #begun: number[] = []
  #asking = 0

  constructor(options: OnDemandConfig, log: Log) {
    this.#options = options
    this.#log = log
  }

  /** Never rejects. */
  async allows(name: string): Promise<boolean> {
    if ((this.#refused.get(name) ?? 0) > Date.now() || this.#asking >= ASKING_MAX) return false
    this.#asking++
    try {
      const allowed = await this.#ask(name)
      if (!allowed) this.#refuse(name, REFUSED_MS)
      return allowed
    } catch (error) {
      this.#log.warn("whoever decides about certificates on demand did not answer", { ask: this.#options.ask, reason: (error as Error).message })
      this.#refuse(name, FAILED_MS)
      return false
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

  #refuse(name: string, ms: number): void {
    if (this.#refused.size >= REFUSED_MAX) this.#refused.delete(this.#refused.keys().next().value!)
    this.#refused.delete(name)
    this.#refused.set(name, Date.now() + ms)
  }
}
