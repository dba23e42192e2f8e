export const HIDDEN = "***"

/** What a card number may begin with: 2 to 6 are the issuers of payment cards (ISO/IEC 7812). */
const CARD_DIGITS_MIN = 13
const CARD_DIGITS_MAX = 19

// Credentials as RFC 9110 section 11.4 and RFC 6750 write them; JSON web tokens (RFC 7519); keys as PEM; forms that services give to their keys.
const bearer = /\b(bearer|dpop|negotiate)(\s+|%20|\+)[A-Za-z0-9._~+/=%-]+/gi
const credentials = /\b(basic|digest|token|apikey)(\s+|%20|\+)([A-Za-z0-9._~+/=%-]{6,})/gi
const webToken = /\beyJ[A-Za-z0-9_-]{3,}(?:\.[A-Za-z0-9_-]*){0,4}/g
const privateKey = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,40}PRIVATE KEY-----)?/g
const serviceKey =
  /\b(?:AKIA|ASIA)[0-9A-Z]{12,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bxox[abposr]-[A-Za-z0-9-]{8,}|\b[sr]k[-_](?:live|test|proj|ant)[-_][A-Za-z0-9_-]{8,}/g
const userInfo = /(\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/@"'<>]{1,256}@/gi
const digits = /[0-9](?:(?:[ \-.+\u00a0]|%20)?[0-9])+/g
const cutDigits = /[0-9](?:(?:[ \-.+\u00a0]|%20)?[0-9]){5,}(?:[ \-.+\u00a0]|%20)?$/

/** Hides what looks like a secret by itself, whatever its name. `isCut`: the text goes on where it cannot be seen. */
export function hidePatterns(text: string, isCut = false): string {
  const plain = text
    .replace(privateKey, HIDDEN)
    .replace(bearer, `$1 ${HIDDEN}`)
    .replace(credentials, (whole, scheme: string, _gap, value: string) => (isRandom(value) ? `${scheme} ${HIDDEN}` : whole))
    .replace(webToken, HIDDEN)
    .replace(serviceKey, HIDDEN)
    .replace(userInfo, `$1${HIDDEN}@`)
    .replace(digits, hideCards)
  return isCut ? plain.replace(cutDigits, HIDDEN) : plain
}

/** A word of a language has neither digits nor capitals inside. */
function isRandom(value: string): boolean {
  return /[0-9=_~+/%]|[a-z][A-Z]/.test(value)
}

/** Card numbers within a run of digits, whatever stands before and behind them: a number is looked for at every place where a group of digits begins and ends. */
function hideCards(run: string): string {
  const at: number[] = []
  for (let i = 0; i < run.length; i++) {
    // The digits of an encoded space are none.
    if (run[i] === "%") i += 2
    else if (isDigit(run.charCodeAt(i))) at.push(i)
  }
  if (at.length < CARD_DIGITS_MIN) return run
  let out = ""
  let from = 0
  for (let first = 0; first + CARD_DIGITS_MIN <= at.length; first++) {
    const count = at[first]! >= from && beginsGroup(at, first) ? cardAt(run, at, first) : 0
    if (count === 0) continue
    out += run.slice(from, at[first]) + HIDDEN
    from = at[first + count - 1]! + 1
  }
  return out + run.slice(from)
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

function beginsGroup(at: readonly number[], index: number): boolean {
  return index === 0 || at[index]! > at[index - 1]! + 1
}

/** How many digits from `first` on are a card number that ends where a group does; the longest counts. 0 = none. */
function cardAt(run: string, at: readonly number[], first: number): number {
  const leading = run.charCodeAt(at[first]!) - 48
  if (leading < 2 || leading > 6) return 0
  for (let count = Math.min(CARD_DIGITS_MAX, at.length - first); count >= CARD_DIGITS_MIN; count--) {
    const end = first + count
    if (end < at.length && !beginsGroup(at, end)) continue
    if (hasCheckDigit(run, at, first, end)) return count
  }
  return 0
}

/** ISO/IEC 7812-1 annex B (Luhn). */
function hasCheckDigit(run: string, at: readonly number[], first: number, end: number): boolean {
  let sum = 0
  for (let i = end - 1; i >= first; i--) {
    const digit = run.charCodeAt(at[i]!) - 48
    const doubled = (end - 1 - i) % 2 === 1 ? digit * 2 : digit
    sum += doubled > 9 ? doubled - 9 : doubled
  }
  return sum % 10 === 0
}
