import { RE2JS } from "re2js"
import { bareName, isSecretName } from "../../base/index.ts"
import { mediaTypeOf } from "../compress/media-type-list.ts"
import { HIDDEN } from "./hide-cards.ts"
import { hidePatterns } from "./hide-patterns.ts"
import { redactForm, redactMultipart } from "./redact-form.ts"
import { redactJson } from "./redact-json.ts"
import { type IsSecret, redactText } from "./redact-text.ts"

export interface RedactionOptions {
  /** Names beside those that are known. */
  readonly names: readonly string[]
  /** RE2 patterns of what is hidden beside what is known. */
  readonly patterns: readonly string[]
}

/** Hides secrets in what is logged. */
export interface Redaction {
  /** A query with its leading "?", or "". */
  query(query: string): string
  field(lowerName: string, value: string): string
  /** `isCut`: the body goes on behind this. */
  body(contentType: string, text: string, isCut: boolean): string
}

const nothing: Redaction = { query: query => query, field: (_, value) => value, body: (_, text) => text }

/** false = nothing is hidden. */
export function compileRedaction(options: RedactionOptions | false): Redaction {
  return options === false ? nothing : new Hiding(options)
}

class Hiding implements Redaction {
  private readonly names: ReadonlySet<string>
  private readonly patterns: readonly RE2JS[]
  private readonly isSecret: IsSecret = name => {
    const bare = bareName(name)
    return isSecretName(bare) || this.names.has(bare)
  }

  constructor({ names, patterns }: RedactionOptions) {
    this.names = new Set(names.map(bareName))
    this.patterns = patterns.map(pattern => RE2JS.compile(pattern))
  }

  query(query: string): string {
    return query === "" ? "" : this.own(`?${redactForm(query.slice(1), this.isSecret)}`)
  }

  field(name: string, value: string): string {
    switch (name) {
      case "authorization":
      case "proxy-authorization":
        return hideCredentials(value)
      case "cookie":
        return value.replace(/=[^;]*/g, `=${HIDDEN}`)
      case "set-cookie":
        return value.replace(/^([^=;]*)=[^;]*/, `$1=${HIDDEN}`)
      default:
        if (this.isSecret(name)) return HIDDEN
        return this.own(hidePatterns(redactUrl(value, query => redactForm(query, this.isSecret))))
    }
  }

  body(contentType: string, text: string, isCut: boolean): string {
    return this.own(hidePatterns(this.named(contentType, text), isCut))
  }

  private named(contentType: string, text: string): string {
    const type = mediaTypeOf(contentType)
    if (type === "application/x-www-form-urlencoded") return redactForm(text, this.isSecret)
    if (type.startsWith("multipart/")) return redactMultipart(text, /boundary="?([^";]+)/i.exec(contentType)?.[1]?.trim() ?? "", this.isSecret)
    // Whatever the type says: much that is JSON is sent as something else.
    const looksLikeJson = type.endsWith("json") || /^\s*[[{"]/.test(text)
    // First by looks: of "authorization: Bearer x" the name alone would hide a word.
    return redactText(hidePatterns(looksLikeJson ? redactJson(text, this.isSecret) : text), this.isSecret)
  }

  private own(text: string): string {
    let clean = text
    for (const pattern of this.patterns) clean = pattern.matcher(clean).replaceAll(HIDDEN)
    return clean
  }
}

/** The scheme may be read (RFC 9110 section 11.4). */
function hideCredentials(value: string): string {
  const space = value.indexOf(" ")
  return space < 0 ? HIDDEN : `${value.slice(0, space)} ${HIDDEN}`
}

/** Queries of URLs, as in Referer and Location. */
function redactUrl(value: string, redact: (query: string) => string): string {
  return value.includes("?") ? value.replace(/\?([^\s"<>#]*)/g, (_, query: string) => `?${redact(query)}`) : value
}
