import { type Answer, failedAnswer } from "./dns-answer.ts"
import { TYPE_A, TYPE_AAAA } from "./dns-message.ts"
import { DnsQuery, type QuerySettings } from "./dns-query.ts"

/** When one family has its addresses, how long the other is waited for (RFC 8305 section 3, "Resolution Delay"). */
const OTHER_FAMILY_MS = 50

/** Both families' answers for one name. */
export interface NameAnswer {
  readonly four: Answer
  readonly six: Answer
}

export interface NameLookupHandler {
  /** One family is there and the other is late. At most once, before `onAnswer`. */
  onPartial(answer: NameAnswer): void
  onAnswer(answer: NameAnswer): void
}

const pending = failedAnswer("timeout", "not yet answered")

/** Asks for both families of each candidate in turn, until one has an address. */
export class NameLookup {
  private readonly candidates: readonly string[]
  private readonly settings: QuerySettings
  private readonly handler: NameLookupHandler
  private at: number
  private four: Answer | null
  private six: Answer | null
  /** The best of the candidates before: that a name exists, or that nobody knows, outweighs that there is none. */
  private best: NameAnswer | null
  private queries: DnsQuery[]
  private timer: ReturnType<typeof setTimeout> | null

  constructor(candidates: readonly string[], settings: QuerySettings, handler: NameLookupHandler) {
    this.candidates = candidates
    this.settings = settings
    this.handler = handler
    this.at = 0
    this.four = null
    this.six = null
    this.best = null
    this.queries = []
    this.timer = null
    this.ask()
  }

  cancel(): void {
    for (const query of this.queries) query.cancel()
    this.queries = []
    this.stopTimer()
  }

  /** Answers are late; `onPartial` may be due. */
  private ask(): void {
    const name = this.candidates[this.at]!
    this.four = this.six = null
    this.queries = [
      new DnsQuery(name, TYPE_A, this.settings, answer => {
        this.four = answer
        this.take()
      }),
      new DnsQuery(name, TYPE_AAAA, this.settings, answer => {
        this.six = answer
        this.take()
      }),
    ]
  }

  private take(): void {
    const { four, six } = this
    if (four !== null && six !== null) return this.conclude({ four, six })
    if ((four ?? six)!.kind !== "found") return
    this.timer = setTimeout(() => this.handler.onPartial({ four: this.four ?? pending, six: this.six ?? pending }), OTHER_FAMILY_MS)
  }

  private conclude(answer: NameAnswer): void {
    this.stopTimer()
    this.queries = []
    if (this.best === null || weight(answer) > weight(this.best)) this.best = answer
    this.at++
    if (weight(answer) === FOUND || this.at === this.candidates.length) this.handler.onAnswer(this.best)
    else this.ask()
  }

  private stopTimer(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }
}

const FOUND = 3

function weight({ four, six }: NameAnswer): number {
  if (four.kind === "found" || six.kind === "found") return FOUND
  if (four.kind === "no-name" || six.kind === "no-name") return 0
  return four.kind === "no-data" && six.kind === "no-data" ? 1 : 2
}
