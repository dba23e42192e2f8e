// HOT
import type { TextPattern } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { rulePath, rulePathResult } from "../../http/index.ts"
import type { ValueReader } from "../variables.ts"
import { cutPrefix } from "./cut-prefix.ts"

/** One change of a path, in the order of the config. False = it cannot be made without guessing what the path means. */
export type PathChange = (x: Exchange) => boolean

/** A text with the groups of a match in it: text at even places, numbers of groups at odd ones. */
export type GroupTemplate = readonly (string | number)[]

export function fillGroups(template: GroupTemplate, groups: readonly string[]): string {
  let text = ""
  for (let i = 0; i < template.length; i++) {
    const part = template[i]!
    text += typeof part === "string" ? part : (groups[part] ?? "")
  }
  return text
}

/** Takes a prefix off, and says so in X-Forwarded-Prefix: the server behind makes its links with it. A path without it stays. */
export function strip(x: Exchange, prefix: string, tell: boolean): boolean {
  const seen = x.rulePath
  if (seen !== prefix && !(seen.startsWith(prefix) && seen.charCodeAt(prefix.length) === 47)) return true
  const rest = cutPrefix(x.path, prefix)
  if (rest === null || !setPath(x, rest === "" ? "/" : rest)) return false
  if (tell) {
    const outer = x.request.find("x-forwarded-prefix") ?? ""
    if (outer !== "") x.request.removeName("x-forwarded-prefix")
    x.request.append("X-Forwarded-Prefix", outer.endsWith("/") ? outer.slice(0, -1) + prefix : outer + prefix)
  }
  return true
}

/** The pattern looks at the form that rules see; what it makes may have a query, which takes the place of the old one. */
export function replacePattern(x: Exchange, pattern: TextPattern, template: GroupTemplate): boolean {
  const groups = pattern.match(x.rulePath)
  return groups === null || setTarget(x, fillGroups(template, groups))
}

/** Puts a path, or a path with a query, in the place of what came. */
export function setTarget(x: Exchange, target: string): boolean {
  const mark = target.indexOf("?")
  if (mark < 0) return setPath(x, target)
  x.query = mark === target.length - 1 ? "" : target.substring(mark)
  return setPath(x, target.substring(0, mark))
}

/** What goes on must be as plain as what came: rules and servers behind read it alike. */
export function setPath(x: Exchange, path: string): boolean {
  const whole = path.charCodeAt(0) === 47 ? path : `/${path}`
  const seen = rulePath(whole)
  if (rulePathResult.refused) return false
  x.path = rulePathResult.dotSegments ? rulePathResult.forwardPath : whole
  x.rulePath = seen
  x.encodedSlash = rulePathResult.encodedSlash
  return true
}

/** One parameter that is set or added; `name` is encoded as it goes out. */
export interface QueryEdit {
  readonly name: string
  readonly replaces: boolean
  readonly value: readonly ValueReader[]
}

/** Removes, then sets and adds, in the order of the config; values are read first. Parameters that are not named stay octet for octet. */
export function editQuery(x: Exchange, removals: readonly string[], edits: readonly QueryEdit[]): void {
  let added = ""
  for (let i = 0; i < edits.length; i++) {
    const { name, value } = edits[i]!
    let text = ""
    for (let part = 0; part < value.length; part++) text += value[part]!(x)
    if (text !== "") added += `${added === "" ? "" : "&"}${name}=${encoded(text)}`
  }
  const kept = keptPairs(x.query, removals, edits)
  const all = kept === "" ? added : added === "" ? kept : `${kept}&${added}`
  x.query = all === "" ? "" : `?${all}`
}

function keptPairs(query: string, removals: readonly string[], edits: readonly QueryEdit[]): string {
  let kept = ""
  let at = 1
  while (at < query.length) {
    let end = query.indexOf("&", at)
    if (end < 0) end = query.length
    const pair = query.substring(at, end)
    const equals = pair.indexOf("=")
    const name = equals < 0 ? pair : pair.substring(0, equals)
    if (!isNamed(name, removals, edits)) kept += `${kept === "" ? "" : "&"}${pair}`
    at = end + 1
  }
  return kept
}

function isNamed(name: string, removals: readonly string[], edits: readonly QueryEdit[]): boolean {
  const plain = name.includes("%") || name.includes("+") ? decodedName(name) : name
  for (let i = 0; i < removals.length; i++) if (removals[i] === plain) return true
  for (let i = 0; i < edits.length; i++) if (edits[i]!.replaces && (edits[i]!.name === name || edits[i]!.name === encoded(plain))) return true
  return false
}

function decodedName(name: string): string {
  try {
    return decodeURIComponent(name.replaceAll("+", " "))
  } catch {
    return name
  }
}

/** Variables are octets, one character each. */
function encoded(octets: string): string {
  let out = ""
  for (let i = 0; i < octets.length; i++) {
    const code = octets.charCodeAt(i)
    const isPlain =
      (code >= 48 && code <= 57) || ((code | 32) >= 97 && (code | 32) <= 122) || code === 45 || code === 46 || code === 95 || code === 126
    out += isPlain ? octets.charAt(i) : `%${(code < 16 ? "0" : "") + code.toString(16).toUpperCase()}`
  }
  return out
}
