import { EXCEPT_BELOW, EXCEPT_SELF, FIRM_BELOW, FIRM_SELF, NAME_BELOW, NAME_SELF } from "../../base/index.ts"
import type { SkipReason } from "./list-reader.ts"

/** A rule about a name. */
export interface AdblockRule {
  readonly name: string
  readonly kinds: number
}

/** Options that say no more than the rule itself does: every request to the name. */
const plainOptions = new Set(["all", "document", "doc", "popup", "network", "important"])
const thirdPartyOptions = new Set(["third-party", "3p"])

/**
 * Reads a rule of the filter syntax of Adblock Plus, uBlock Origin and AdGuard. One that is about a name as a whole is `||name^` or `@@||name^`, the exception,
 * with options that narrow nothing. All others need what no proxy sees (parts of pages, who embeds what) or more than a name (URLs), and are told apart by why.
 */
export function adblockRule(rule: string, thirdParty: boolean): AdblockRule | SkipReason | "malformed" {
  if (/#@?[?$%]*#/.test(rule)) return "page"
  const except = rule.startsWith("@@")
  const body = except ? rule.slice(2) : rule
  if (/^\/.*\/(?:\$|$)/.test(body)) return "pattern"
  const dollar = body.lastIndexOf("$")
  const pattern = dollar < 0 ? body : body.slice(0, dollar)
  const options =
    dollar < 0
      ? []
      : body
          .slice(dollar + 1)
          .toLowerCase()
          .split(",")
  const hasOther = options.some(option => !plainOptions.has(option) && !thirdPartyOptions.has(option))
  const subject = nameOf(pattern)
  if (subject === null) return kindOfPattern(pattern)
  if (hasOther) return "options"
  if (!thirdParty && options.some(option => thirdPartyOptions.has(option))) return "third-party"
  const below = pattern.startsWith("||*.")
  if (except) return { name: subject, kinds: below ? EXCEPT_BELOW : EXCEPT_SELF | EXCEPT_BELOW }
  const firm = options.includes("important") ? (below ? FIRM_BELOW : FIRM_SELF | FIRM_BELOW) : 0
  return { name: subject, kinds: (below ? NAME_BELOW : NAME_SELF | NAME_BELOW) | firm }
}

/** The name of `||name^`, `||name^|` and `||*.name^`; null = the pattern is another one. */
function nameOf(pattern: string): string | null {
  const match = /^\|\|(?:\*\.)?([^/^*|:?=&%~,\s]+)\^\|?$/.exec(pattern) ?? /^\|\|(\[[0-9a-f:]+\])\^\|?$/i.exec(pattern)
  return match === null ? null : match[1]!
}

function kindOfPattern(pattern: string): SkipReason | "malformed" {
  if (/[/?&=]/.test(pattern)) return "url"
  return /[|^*]/.test(pattern) || /^[\w.-]+$/.test(pattern) ? "pattern" : "malformed"
}
