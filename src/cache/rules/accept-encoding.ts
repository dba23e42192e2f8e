// HOT
import { EQUALS, isToken, isWord, SEMICOLON, skipSpace, trimEnd } from "../../http/index.ts"

/** Codings that one Accept-Encoding may have. */
export const codingsMax = 16

/**
 * What an Accept-Encoding accepts, whatever its order and weights: the accepted codings, sorted; `:identity` where no coding is not accepted; and with `*` also
 * what it leaves out, as `:br` (RFC 9110 section 12.5.3). So the many ways in which clients say the same share their variants. A value with more codings than that, or
 * with something that is no coding, is taken as it is, behind a space, which no other has.
 */
export function normaliseCodings(value: string): string {
  const said: string[] = []
  let at = 0
  while (at <= value.length) {
    const comma = value.indexOf(",", at)
    const end = comma < 0 ? value.length : comma
    if (!readCoding(value, skipSpace(value, at, end), end, said)) return " " + value
    at = end + 1
  }
  return assemble(said)
}

/** Adds the coding at `start` to what is said: as it is, or behind ":" when it is refused. False = it is none, or one too many. */
function readCoding(value: string, start: number, end: number, said: string[]): boolean {
  let stop = start
  while (stop < end && value.charCodeAt(stop) !== SEMICOLON) stop++
  const nameEnd = trimEnd(value, start, stop)
  if (nameEnd === start) return stop === end
  if (!isToken(value, start, nameEnd)) return false
  const coding = plainName(value, start, nameEnd)
  const word = isRefused(value, stop, end) ? ":" + coding : coding
  if (!said.includes(word)) said.push(word)
  return said.length <= codingsMax
}

/** Lower case; `x-gzip` is `gzip` and `x-compress` is `compress` (RFC 9110 section 8.4.1). */
function plainName(value: string, start: number, end: number): string {
  if (isWord(value, start, end, "gzip") || isWord(value, start, end, "x-gzip")) return "gzip"
  if (isWord(value, start, end, "x-compress")) return "compress"
  return value.slice(start, end).toLowerCase()
}

/** Whether the weight behind `at` is 0 in one of its forms: `;q=0`, `; q=0.000`. */
function isRefused(value: string, at: number, end: number): boolean {
  if (at >= end) return false
  const name = skipSpace(value, at + 1, end)
  if (!isWord(value, name, name + 1, "q") || value.charCodeAt(name + 1) !== EQUALS) return false
  const start = name + 2
  const stop = trimEnd(value, start, end)
  if (value.charCodeAt(start) !== ZERO || stop - start > 5) return false
  for (let i = start + 1; i < stop; i++) if (value.charCodeAt(i) !== (i === start + 1 ? DOT : ZERO)) return false
  return true
}

const ZERO = 48
const DOT = 46

/** Of what is refused only that counts which would be accepted otherwise: identity, and anything beside "*". */
function assemble(said: string[]): string {
  const any = said.includes("*")
  const out: string[] = []
  for (let i = 0; i < said.length; i++) {
    const word = said[i]!
    if (word === "identity" || word === ":*" || word === ":identity") continue
    if (word.charCodeAt(0) !== COLON || (any && !said.includes(word.slice(1)))) out.push(word)
  }
  if (refusesIdentity(said)) out.push(":identity")
  return out.sort().join(",")
}

const COLON = 58

function refusesIdentity(said: string[]): boolean {
  if (said.includes("identity")) return false
  return said.includes(":identity") || (said.includes(":*") && !said.includes("*"))
}
