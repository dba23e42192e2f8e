export const HIDDEN = "***"

const CARD_DIGITS_MIN = 13
const CARD_DIGITS_MAX = 19
/** Of a number that is cut this many digits say nothing of it. */
const CUT_DIGITS_MAX = 5

/**
 * Hides card numbers, whatever stands before and behind them: within a run of digits, with or without one separator between two, a number is looked for at
 * every place where a group of digits begins and ends. `isCut`: a run at the very end may go on where it cannot be seen.
 */
export function hideCards(text: string, isCut: boolean): string {
  let out = ""
  let from = 0
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text, i)) continue
    const run = runAt(text, i)
    const last = run.at(-1)!
    if (isCut && run.length > CUT_DIGITS_MAX && separatorEnd(text, last + 1) >= text.length) return `${out}${text.slice(from, i)}${HIDDEN}`
    for (const [first, end] of cardsIn(text, run)) {
      out += text.slice(from, first) + HIDDEN
      from = end
    }
    i = last
  }
  return from === 0 ? text : out + text.slice(from)
}

/** Where card numbers begin and end. */
export function findCards(text: string): [from: number, to: number][] {
  const found: [number, number][] = []
  for (let i = 0; i < text.length; i++) {
    if (!isDigit(text, i)) continue
    const run = runAt(text, i)
    for (const range of cardsIn(text, run)) found.push(range)
    i = run.at(-1)!
  }
  return found
}

function isDigit(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 48 && code <= 57
}

/** Places of the digits of a run. */
function runAt(text: string, start: number): readonly number[] {
  const run = [start]
  for (let at = start + 1; at < text.length; at++) {
    at = separatorEnd(text, at)
    if (!isDigit(text, at)) break
    run.push(at)
  }
  return run
}

/** Behind one separator, if there is one. */
function separatorEnd(text: string, at: number): number {
  if (text.startsWith("%20", at)) return at + 3
  return at < text.length && " -.+\u00a0".includes(text[at]!) ? at + 1 : at
}

/** Where card numbers begin and end. */
function cardsIn(text: string, run: readonly number[]): [number, number][] {
  const found: [number, number][] = []
  for (let first = 0; first + CARD_DIGITS_MIN <= run.length; first++) {
    const count = beginsGroup(run, first) ? cardAt(text, run, first) : 0
    if (count === 0) continue
    found.push([run[first]!, run[first + count - 1]! + 1])
    first += count - 1
  }
  return found
}

function beginsGroup(run: readonly number[], index: number): boolean {
  return index === 0 || run[index]! > run[index - 1]! + 1
}

/** How many digits from `first` on are a card number that ends where a group does; the longest counts. 0 = none. Issuers of payment cards have 2 to 6 (ISO/IEC 7812). */
function cardAt(text: string, run: readonly number[], first: number): number {
  const leading = text.charCodeAt(run[first]!) - 48
  if (leading < 2 || leading > 6) return 0
  for (let count = Math.min(CARD_DIGITS_MAX, run.length - first); count >= CARD_DIGITS_MIN; count--) {
    const end = first + count
    if ((end === run.length || beginsGroup(run, end)) && hasCheckDigit(text, run.slice(first, end))) return count
  }
  return 0
}

/** ISO/IEC 7812-1 annex B (Luhn). */
function hasCheckDigit(text: string, places: readonly number[]): boolean {
  let sum = 0
  for (let i = 0; i < places.length; i++) {
    const digit = text.charCodeAt(places[places.length - 1 - i]!) - 48
    const doubled = i % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
