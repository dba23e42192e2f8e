import { RE2JS } from "re2js"
import { findCards } from "../body-log/hide-cards.ts"
import { privateKey, serviceKey, webToken } from "../body-log/hide-patterns.ts"

/** Where something stands in a text: from, to (behind it), and what it is. */
export interface Found {
  readonly from: number
  readonly to: number
  readonly kind: string
}

/** Looks for one kind of data; in the order of the text. */
export type Find = (text: string) => readonly (readonly [from: number, to: number])[]

// An address as people have it (RFC 5321 in its usual form), also as a form or a URL writes it.
const email = /[A-Za-z0-9._+-]{1,64}(?:@|%40)(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b/g
// Country, check digits and up to 30 letters and digits (ISO 13616), in groups or not.
const iban = /\b[A-Z]{2}\d{2}(?:[ +]?|%20)(?:[A-Z0-9]{4}(?:[ +]|%20)?){2,7}[A-Z0-9]{1,4}\b/g

function matches(pattern: RegExp): Find {
  return text => [...text.matchAll(pattern)].map(found => [found.index, found.index + found[0].length] as const)
}

export const kinds = {
  cards: findCards,
  emails: matches(email),
  tokens: (text: string) => [...matches(webToken)(text), ...matches(serviceKey)(text)],
  keys: matches(privateKey),
  ibans: (text: string) => matches(iban)(text).filter(([from, to]) => isIban(text.slice(from, to))),
} satisfies Record<string, Find>

export type Kind = keyof typeof kinds

export const kindWords = Object.keys(kinds) as [Kind, ...Kind[]]

/** The remainder by 97 is 1 when the first four characters stand at the end and letters are numbers from 10 on (ISO 7064). */
function isIban(text: string): boolean {
  const plain = text.replace(/%20|[ +]/g, "")
  if (plain.length < 15 || plain.length > 34) return false
  let remainder = 0
  for (const character of plain.slice(4) + plain.slice(0, 4)) {
    const value = Number.parseInt(character, 36)
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97
  }
  return remainder === 1
}

/** An operator's pattern, RE2: time linear in the text. */
export function patternFind(source: string): Find {
  const regex = RE2JS.compile(source)
  return text => {
    const found: (readonly [number, number])[] = []
    const matcher = regex.matcher(text)
    while (matcher.find()) if (matcher.end() > matcher.start()) found.push([matcher.start(), matcher.end()])
    return found
  }
}

/** All that is found, in the order of the text, without overlaps: what begins first counts. */
export function findAll(text: string, finds: readonly (readonly [kind: string, find: Find])[]): readonly Found[] {
  const all = finds.flatMap(([kind, find]) => find(text).map(([from, to]): Found => ({ from, to, kind })))
  if (all.length < 2) return all
  all.sort((a, b) => a.from - b.from || b.to - a.to)
  let end = -1
  return all.filter(({ from, to }) => {
    if (from < end) return false
    end = to
    return true
  })
}

/** The text with stars in the place of letters and digits: as long as before, and a form, a URL or JSON as before. */
export function masked(text: string, found: readonly Found[]): string {
  let out = ""
  let at = 0
  for (const { from, to } of found) {
    out += text.slice(at, from) + text.slice(from, to).replace(/[A-Za-z0-9]/g, "*")
    at = to
  }
  return out + text.slice(at)
}
