import { HIDDEN } from "./hide-cards.ts"
import { stringEnd } from "./string-end.ts"

/** Whether the value under a name is a secret. */
export type IsSecret = (name: string) => boolean

// `name: value`, `"name" = 'value'`, `name => value`, also as they stand inside of a JSON string.
const name = /(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_.-]{0,100})(\\{0,7}["']?\]?\s{0,8}(?:=>|[=:])\s{0,8})/g
// Behind a colon a value may have words.
const words = /[^\r\n&;,<>"'{}()[\]]+/y
const word = /[^\s&;,<>"'{}()[\]]+/y
const element = /<([A-Za-z_][A-Za-z0-9_.:-]{0,100})(\s[^<>]{0,1000})?>[^<]*/g

/** Hides values that stand beside names of secrets in a text of any kind. */
export function redactText(text: string, isSecret: IsSecret): string {
  const plain = redactNamed(text, isSecret)
  if (!plain.includes("<")) return plain
  return plain.replace(element, (whole, tag: string, more = "") => (isSecret(tag.slice(tag.indexOf(":") + 1)) ? `<${tag}${more}>${HIDDEN}` : whole))
}

function redactNamed(text: string, isSecret: IsSecret): string {
  let out = ""
  let from = 0
  for (const found of text.matchAll(name)) {
    const [whole, said, between] = found
    const start = found.index + whole.length
    // What is inside of a value that is hidden names nothing.
    if (found.index < from || !isSecret(said!)) continue
    const value = valueAt(text, start, between!.includes(":"))
    if (value === "" || value.startsWith("//")) continue
    const quote = /^\\{0,7}["']/.exec(value)?.[0] ?? ""
    out += `${text.slice(from, start)}${quote}${HIDDEN}${quote}`
    from = start + value.length
  }
  return out + text.slice(from)
}

function valueAt(text: string, start: number, mayHaveWords: boolean): string {
  let quote = start
  while (text[quote] === "\\") quote++
  if (quote > start && text[quote] === '"') {
    const end = text.indexOf('"', quote + 1)
    return text.slice(start, end < 0 ? text.length : end + 1)
  }
  if (text[start] === '"' || text[start] === "'") return text.slice(start, stringEnd(text, start))
  const pattern = mayHaveWords ? words : word
  pattern.lastIndex = start
  return pattern.exec(text)?.[0] ?? ""
}
