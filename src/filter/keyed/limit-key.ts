import { z } from "zod"
import { nearest, parseTemplate, TemplateError, type TemplatePart } from "../../base/index.ts"
import type { Exchange } from "../../flow/index.ts"
import { compileValue, type ValueReader, variableWords } from "../variables.ts"
import { clientKey } from "./client-key.ts"

const words: Readonly<Record<string, ValueReader>> = {
  client: x => clientKey(x.clientAddress),
  user: x => x.user,
  group: x => x.notes?.groups[0] ?? "",
  host: x => x.host,
  path: x => x.rulePath,
  listener: x => x.listener?.name ?? "",
  route: x => x.plan?.route.name ?? "",
  all: () => "all",
}

/** Longer ones are cut: a key is looked at octet by octet. */
const KEY_CHARACTERS_MAX = 1024

/** What requests are told apart by. */
export interface LimitKey {
  readonly text: string
  /** The key of a request; "" = it has none. */
  readonly of: (x: Exchange) => string
}

/** Schema of the option `key`, where it may be one of these words, too. */
export function keySchemaWith(more: readonly string[]) {
  return z.string().superRefine((text, context) => {
    const problem = problemOf(text, [...more, ...Object.keys(words)])
    if (problem !== "") context.addIssue({ code: "custom", message: problem })
  })
}

export const keySchema = keySchemaWith([])

export const keyMeaning =
  "What requests are told apart by: client (its address, of IPv6 the network of 64 bits), user, group (the first of the user's), host, path, listener, route, all (one for everybody), or a text with variables such as `${requestField:x-api-key}`. Where a variable is empty there is no key."

function problemOf(text: string, known: readonly string[]): string {
  if (known.includes(text)) return ""
  if (text.includes("$")) {
    try {
      parseTemplate(text, variableWords)
      return ""
    } catch (error) {
      if (error instanceof TemplateError) return error.message
      throw error
    }
  }
  const near = nearest(text, known)
  const hint = near === null ? "" : `; did you mean ${near}?`
  return `expected ${known.join(", ")} or a text with variables such as \${requestField:x-api-key}, got ${JSON.stringify(text)}${hint}`
}

/** Compiles an option that the schema has let through. */
export function compileKey(text: string): LimitKey {
  const word = words[text]
  if (word !== undefined) return { text, of: word }
  const readers = parseTemplate(text, variableWords).map(partReader)
  return { text, of: x => joined(x, readers) }
}

/** All parts, or "" where a variable is empty: half a key would be shared by many who have nothing to do with each other. */
function joined(x: Exchange, readers: readonly ValueReader[]): string {
  let key = ""
  for (let i = 0; i < readers.length; i++) {
    const part = readers[i]!(x)
    if (part === "") return ""
    // A separator that no value holds, so that "a" and "bc" is not "ab" and "c".
    key = i === 0 ? part : `${key}\0${part}`
  }
  return key.length > KEY_CHARACTERS_MAX ? key.substring(0, KEY_CHARACTERS_MAX) : key
}

function partReader(part: TemplatePart): ValueReader {
  if (typeof part !== "string" && part.word === "client") return words["client"]!
  const readers = typeof part === "string" ? [() => part] : compileValue(part.argument === "" ? `$${part.word}` : `\${${part.word}:${part.argument}}`)
  return readers[0]!
}
