import { z } from "zod"
import { anyOf, listed, type OneOrMore, oneOrMore } from "./one-or-more.ts"
import { patternTrouble, TextPattern } from "../base/index.ts"

/** `"x"` = that value, `"~re2"` = a match of the pattern, true = there with any value, false = not there. */
export type ValueOption = string | boolean
/** Every name must hold; of a name's list, one must. */
export type ValueOptions = Readonly<Record<string, OneOrMore<ValueOption>>>

const expected = 'value: "text", "~pattern", true (there) or false (not there)'

const valueSchema: z.ZodType<ValueOption> = z
  .union([z.string(), z.boolean()], { error: `expected ${expected}; numbers need quotes` })
  .superRefine((value, context) => {
    const message = typeof value === "string" && value.startsWith("~") ? patternTrouble(value.slice(1)) : ""
    if (message !== "") context.addIssue({ code: "custom", message })
  })

/** Options by name, at least one; `nameTrouble` returns what is wrong with a name, or "". */
export function valuesByName(kind: string, nameTrouble: (name: string) => string): z.ZodType<ValueOptions> {
  return z
    .record(z.string(), oneOrMore(valueSchema, expected), { error: `expected names of ${kind} with their values, such as { name: "value" }` })
    .superRefine((values, context) => {
      const names = Object.keys(values)
      if (names.length === 0)
        context.addIssue({ code: "custom", message: `no name is given; expected at least one ${kind}, such as { name: "value" }` })
      for (const name of names) {
        const message = nameTrouble(name)
        if (message !== "") context.addIssue({ code: "custom", message, path: [name] })
      }
    })
}

/** What one name wants. The matchers bring the occurrences of the name, each as text or as a place in a text. */
export interface ValueRule {
  readonly name: string
  /** Any value will do. */
  readonly present: boolean
  /** No occurrence will do. */
  readonly absent: boolean
  /** Values as octets (UTF-8), one character each. */
  readonly exact: readonly string[]
  readonly patterns: readonly TextPattern[]
}

export function valueRules(options: ValueOptions): readonly ValueRule[] {
  return Object.entries(options).map(([name, wanted]) => {
    const values = listed(wanted)
    const texts = values.filter(value => typeof value === "string")
    return {
      name,
      present: values.includes(true),
      absent: values.includes(false),
      exact: texts.filter(text => !text.startsWith("~")).map(octetsOf),
      patterns: texts.filter(text => text.startsWith("~")).map(text => new TextPattern(text.slice(1))),
    }
  })
}

/** Text as its UTF-8 octets, one character each: the form in which fields and targets arrive. */
export function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1")
}

/** True when a pattern of the rule matches the octets, read as UTF-8. */
export function patternsMatch(rule: ValueRule, octets: string): boolean {
  if (rule.patterns.length === 0) return false
  const text = textOf(octets)
  for (const pattern of rule.patterns) if (pattern.test(text)) return true
  return false
}

function textOf(octets: string): string {
  for (let i = 0; i < octets.length; i++) if (octets.charCodeAt(i) > 0x7f) return Buffer.from(octets, "latin1").toString("utf8")
  return octets
}

/** What a name wants, for explain. */
export function wantedText(name: string, wanted: OneOrMore<ValueOption>): string {
  return `${name}: ${anyOf(listed(wanted).map(value => (value === true ? "present" : value === false ? "absent" : JSON.stringify(value))))}`
}
