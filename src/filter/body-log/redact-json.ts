import { HIDDEN } from "./hide-cards.ts"
import { hidePatterns } from "./hide-patterns.ts"
import { type IsSecret, redactText } from "./redact-text.ts"
import { stringEnd } from "./string-end.ts"

/** JSON in strings of JSON in strings: deeper ones are hidden whole. */
const DEPTH_MAX = 4

/**
 * Hides the values of members whose names are those of secrets, whole objects and arrays too. The text may be cut anywhere, and need not be sound:
 * it is read token by token, and where a secret does not end it is hidden up to the end.
 */
export function redactJson(text: string, isSecret: IsSecret, depth = 0): string {
  return new JsonRedactor(text, isSecret, depth).run()
}

class JsonRedactor {
  private readonly text: string
  private readonly isSecret: IsSecret
  private readonly depth: number
  private at = 0
  private out = ""

  constructor(text: string, isSecret: IsSecret, depth: number) {
    this.text = text
    this.isSecret = isSecret
    this.depth = depth
  }

  run(): string {
    const { text } = this
    while (this.at < text.length) {
      const quote = text.indexOf('"', this.at)
      if (quote < 0) break
      this.out += text.slice(this.at, quote)
      this.at = quote
      this.string()
    }
    return this.out + text.slice(this.at)
  }

  /** A string: the name of a member, or a value. */
  private string(): void {
    const start = this.at
    const end = stringEnd(this.text, start)
    const colon = skipSpace(this.text, end)
    const said = this.text.slice(start, end)
    this.at = end
    if (this.text[colon] !== ":") this.out += this.value(said)
    else {
      this.out += this.text.slice(start, colon + 1)
      this.at = colon + 1
      if (this.isSecret(plainOf(said))) this.hideValue()
    }
  }

  /** A value may hold JSON of its own, and names in escapes. */
  private value(said: string): string {
    const inner = plainOf(said)
    const isJson = /^\s*[[{]/.test(inner)
    if (isJson && this.depth >= DEPTH_MAX) return `"${HIDDEN}"`
    const { isSecret, depth } = this
    const redacted = isJson ? redactJson(inner, isSecret, depth + 1) : redactText(hidePatterns(inner), isSecret)
    return redacted === inner ? said : JSON.stringify(redacted)
  }

  private hideValue(): void {
    const start = skipSpace(this.text, this.at)
    this.out += `${this.text.slice(this.at, start)}"${HIDDEN}"`
    this.at = valueEnd(this.text, start)
  }
}

function skipSpace(text: string, at: number): number {
  while (at < text.length && /\s/.test(text[at]!)) at++
  return at
}

/** The text of a string token; as it stands where it is not sound or cut. */
function plainOf(said: string): string {
  const whole = said.length > 1 && said.endsWith('"') ? said : `${said.replace(/\\(?:u[0-9a-fA-F]{0,3})?$/, "")}"`
  try {
    return JSON.parse(whole) as string
  } catch {
    return said.slice(1).replace(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
}

/** Behind a value of any kind. */
function valueEnd(text: string, start: number): number {
  if (text[start] === '"') return stringEnd(text, start)
  let depth = 0
  for (let i = start; i < text.length; i++) {
    const c = text[i]!
    if (c === '"') i = stringEnd(text, i) - 1
    else if (c === "{" || c === "[") depth++
    else if (c === "}" || c === "]") {
      if (depth === 0) return i
      depth--
      if (depth === 0) return i + 1
    } else if (depth === 0 && (c === "," || /\s/.test(c))) return i
  }
  return text.length
}
