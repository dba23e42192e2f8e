import type { Exchange, OwnAnswer } from "../../flow/index.ts"
import { type Differences, headersOf, type AnswerComparer, type SeenAnswer } from "./compare-answers.ts"

/** Told what became of a comparison. */
export interface Verdicts {
  matches(): void
  differs(differences: Differences, of: Mirrored): void
}

/** One request that was copied, from both sides: the client's exchange and the copy end in either order, and the exchange may be another client's by then. */
export class Mirrored {
  readonly method: string
  readonly path: string
  private readonly x: Exchange
  private readonly comparer: AnswerComparer
  private readonly verdicts: Verdicts
  private status = 0
  private headers: Map<string, string> | null = null
  private client: SeenAnswer | null = null
  private copy: SeenAnswer | null = null
  private over = false

  constructor(x: Exchange, comparer: AnswerComparer, verdicts: Verdicts) {
    this.x = x
    this.method = x.method
    this.path = x.path
    this.comparer = comparer
    this.verdicts = verdicts
  }

  /** The head of the client's answer, as its peer gave it. What a cache fetches for itself asks for something else. */
  headCame(x: Exchange): void {
    if (x !== this.x || this.over || this.client !== null) return
    this.status = x.status
    this.headers = headersOf(x.response)
  }

  get hasHead(): boolean {
    return this.headers !== null
  }

  /** The client's answer is whole. `body`: null = not looked at. */
  answered(body: Uint8Array | null): void {
    this.client = { status: this.status, headers: this.headers!, body }
    this.settle()
  }

  /** The client's answer will not be whole, or is too long: nothing is compared. */
  giveUp(): void {
    this.over = true
  }

  /** The client's exchange is over; what has not come by now does not come. */
  ended(): void {
    if (this.client === null) this.over = true
  }

  copyAnswered(answer: OwnAnswer): void {
    this.copy = { status: answer.status, headers: headersOf(answer.response), body: answer.body }
    this.settle()
  }

  private settle(): void {
    if (this.over || this.client === null || this.copy === null) return
    this.over = true
    const differences = this.comparer.compare(this.client, this.copy)
    if (differences === null) this.verdicts.matches()
    else this.verdicts.differs(differences, this)
  }
}
