import { nearest } from "./nearest.ts"

/** What a template consists of: text as it stands, and variables. */
export type TemplatePart = string | { readonly word: string; readonly argument: string }

/** The words that a template may name. Those of `withArgument` are written `${word:argument}`, the others `$word` or `${word}`. */
export interface TemplateWords {
  readonly plain: readonly string[]
  readonly withArgument: readonly string[]
}

/** A template that cannot be read; the message says where and what would be right. */
export class TemplateError extends Error {
  override name = "TemplateError"
}

/** Splits `"$client asks for ${host}"` into parts. `$$` stands for a dollar sign. Throws TemplateError. */
export function parseTemplate(text: string, words: TemplateWords): TemplatePart[] {
  const parts: TemplatePart[] = []
  let literal = ""
  let at = 0
  while (at < text.length) {
    const dollar = text.indexOf("$", at)
    if (dollar < 0) break
    literal += text.slice(at, dollar)
    if (text[dollar + 1] === "$") {
      literal += "$"
      at = dollar + 2
      continue
    }
    const found = readVariable(text, dollar)
    checkWord(found.word, found.argument, words)
    if (literal !== "") parts.push(literal)
    literal = ""
    parts.push({ word: found.word, argument: found.argument })
    at = found.end
  }
  literal += text.slice(at)
  if (literal !== "") parts.push(literal)
  return parts
}

function readVariable(text: string, dollar: number): { word: string; argument: string; end: number } {
  const braced = text[dollar + 1] === "{"
  const pattern = braced ? /\$\{([A-Za-z][A-Za-z0-9]*)(?::([^{}$]*))?\}/y : /\$([A-Za-z][A-Za-z0-9]*)/y
  pattern.lastIndex = dollar
  const match = pattern.exec(text)
  if (match !== null) return { word: match[1]!, argument: match[2] ?? "", end: pattern.lastIndex }
  const near = JSON.stringify(text.slice(dollar, dollar + 16))
  throw new TemplateError(
    `expected a variable such as $client or \${client} at character ${dollar + 1}, got ${near}; a dollar sign alone is written $$`,
  )
}

function checkWord(word: string, argument: string, words: TemplateWords): void {
  if (words.withArgument.includes(word)) {
    if (argument !== "") return
    throw new TemplateError(`expected \${${word}:name}, got $${word} without a name`)
  }
  if (words.plain.includes(word)) {
    if (argument === "") return
    throw new TemplateError(`expected $${word}, got \${${word}:${argument}}: it takes no name`)
  }
  const all = [...words.plain.map(plain => `$${plain}`), ...words.withArgument.map(name => `\${${name}:name}`)]
  const near = nearest(word, [...words.plain, ...words.withArgument])
  throw new TemplateError(`unknown variable $${word}; ${near === null ? "valid" : `did you mean $${near}? Valid`} are ${all.join(", ")}`)
}
