// HOT
import { isWord } from "./grammar.ts"
import { EQUALS, isToken, SEMICOLON, skipSpace, trimEnd } from "./rules/scan.ts"

/** Members that one Accept-Encoding may have; more than anybody sends. */
const MEMBERS_MAX = 16
/** Values of Accept-Encoding that are kept ready, and the length that they may have. */
const KEPT_VALUES_MAX = 256
const KEPT_LENGTH_MAX = 256
const NONE: readonly number[] = Object.freeze([])
const UNSAID = -1
/** A weight of 1, in thousandths (RFC 9110 section 12.4.2). */
const WHOLE = 1000

/** Which of some codings clients want, by what their Accept-Encoding says. */
export class AcceptedCodings {
  private readonly codings: readonly string[]
  private readonly kept = new Map<string, readonly number[]>()

  /** `codings`: those that can be served, the one that goes first at equal weight first. */
  constructor(codings: readonly string[]) {
    this.codings = codings
  }

  /**
   * Indexes of the codings that this client takes at least as gladly as no coding, the best first (RFC 9110 section 12.5.3). None where it says nothing: by the letter it
   * then takes any, and there are clients that say nothing and take none.
   */
  of(value: string): readonly number[] {
    if (value === "") return NONE
    const known = this.kept.get(value)
    if (known !== undefined) return known
    const wanted = rank(this.codings, value)
    if (value.length > KEPT_LENGTH_MAX) return wanted
    if (this.kept.size >= KEPT_VALUES_MAX) this.kept.clear()
    this.kept.set(value, wanted)
    return wanted
  }
}

function rank(codings: readonly string[], value: string): readonly number[] {
  const weights: number[] = []
  for (let i = 0; i < codings.length; i++) weights.push(UNSAID)
  const said = new Said(codings, weights)
  if (!said.read(value)) return NONE
  const wanted: number[] = []
  for (let i = 0; i < codings.length; i++) {
    const weight = weights[i] === UNSAID ? said.any : weights[i]!
    weights[i] = weight
    if (weight <= 0 || weight < said.identity) continue
    // Few enough: each goes in front of those that weigh less.
    let at = wanted.length
    while (at > 0 && weights[wanted[at - 1]!]! < weight) at--
    wanted.splice(at, 0, i)
  }
  return wanted
}

/** What one value says: a weight for each coding, for `*` and for identity, -1 = nothing. */
class Said {
  any = UNSAID
  identity = UNSAID
  private readonly codings: readonly string[]
  private readonly weights: number[]

  constructor(codings: readonly string[], weights: number[]) {
    this.codings = codings
    this.weights = weights
  }

  /** False = it has more members than anybody sends. */
  read(value: string): boolean {
    let count = 0
    for (let at = 0; at <= value.length; ) {
      const comma = value.indexOf(",", at)
      const end = comma < 0 ? value.length : comma
      this.readMember(value, skipSpace(value, at, end), end)
      at = end + 1
      if (++count > MEMBERS_MAX) return false
    }
    return true
  }

  /** What is no coding with a weight says nothing; of two weights for one coding the smaller counts. */
  private readMember(value: string, start: number, end: number): void {
    const semicolon = value.indexOf(";", start)
    const nameEnd = trimEnd(value, start, semicolon < 0 || semicolon > end ? end : semicolon)
    if (!isToken(value, start, nameEnd)) return
    const weight = weightOf(value, nameEnd, end)
    if (value.charCodeAt(start) === STAR && nameEnd === start + 1) this.any = smaller(this.any, weight)
    else if (isWord(value, start, nameEnd, "identity")) this.identity = smaller(this.identity, weight)
    else {
      const i = indexOfCoding(this.codings, value, start, nameEnd)
      if (i >= 0) this.weights[i] = smaller(this.weights[i]!, weight)
    }
  }
}

const STAR = 42

function smaller(before: number, weight: number): number {
  return before === UNSAID || weight < before ? weight : before
}

/** `x-gzip` is gzip (RFC 9110 section 8.4.1.3). */
function indexOfCoding(codings: readonly string[], value: string, start: number, end: number): number {
  for (let i = 0; i < codings.length; i++)
    if (isWord(value, start, end, codings[i]!) || (codings[i] === "gzip" && isWord(value, start, end, "x-gzip"))) return i
  return -1
}

/** The weight behind a name, in thousandths; 0 also where it cannot be read. */
function weightOf(value: string, at: number, end: number): number {
  const semicolon = skipSpace(value, at, end)
  if (semicolon >= end) return WHOLE
  const name = skipSpace(value, semicolon + 1, end)
  if (value.charCodeAt(semicolon) !== SEMICOLON || !isWord(value, name, name + 1, "q") || value.charCodeAt(name + 1) !== EQUALS) return 0
  return thousandths(value, name + 2, trimEnd(value, name + 2, end))
}

/** `0`, `0.5`, `1.000` (RFC 9110 section 12.4.2). */
function thousandths(value: string, start: number, end: number): number {
  const first = value.charCodeAt(start) - ZERO
  if (end <= start || end - start > 5 || first < 0 || first > 1) return 0
  if (end > start + 1 && value.charCodeAt(start + 1) !== DOT) return 0
  let weight = first * WHOLE
  for (let i = start + 2, unit = 100; i < end; i++, unit /= 10) {
    const digit = value.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return 0
    weight += digit * unit
  }
  return weight <= WHOLE ? weight : 0
}

const ZERO = 48
const DOT = 46
