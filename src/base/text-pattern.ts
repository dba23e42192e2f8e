import { RE2JS } from "re2js"
import { type RequiredLiteral, requiredLiteral } from "./required-literal.ts"

/** An operator's `~pattern`: RE2 syntax, time linear in the text. It matches anywhere; `^` and `$` anchor it. */
export class TextPattern {
  readonly source: string
  private readonly literal: RequiredLiteral
  private readonly regex: RE2JS

  /** `source` without the tilde; `patternTrouble` must have found it good. */
  constructor(source: string) {
    this.source = source
    this.literal = requiredLiteral(source)
    this.regex = RE2JS.compile(source)
  }

  test(text: string): boolean {
    // Most texts of most requests fail here, at a fraction of the price.
    if (this.literal.atStart ? !text.startsWith(this.literal.text) : !text.includes(this.literal.text)) return false
    return this.regex.test(text)
  }

  /** The whole match and its groups, "" for one that took no part; null = no match. */
  match(text: string): readonly string[] | null {
    if (this.literal.atStart ? !text.startsWith(this.literal.text) : !text.includes(this.literal.text)) return null
    const matcher = this.regex.matcher(text)
    if (!matcher.find()) return null
    const groups: string[] = []
    for (let group = 0; group <= matcher.groupCount(); group++) groups.push(matcher.group(group) ?? "")
    return groups
  }

  /** Groups that the pattern has. */
  get groupCount(): number {
    return this.regex.groupCount()
  }
}

/** What is wrong with the pattern behind a tilde, "" when nothing is. */
export function patternTrouble(source: string): string {
  if (source === "") return 'the pattern behind "~" is empty; expected an RE2 pattern such as "~^a+$"'
  try {
    RE2JS.compile(source)
    return ""
  } catch (error) {
    const reason = (error as Error).message.replace(/^error parsing regexp: /, "")
    // What those who know other engines miss: `(?=`, `(?<!`, `\\1`.
    const absent = /Perl syntax|escape sequence/.test(reason) ? " (look-around and back-references do not exist in RE2)" : ""
    return `"~${source}" is not an RE2 pattern: ${reason}${absent}`
  }
}
