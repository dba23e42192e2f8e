import { z } from "zod"
import { isCompressibleType } from "../../http/index.ts"

const TYPE = /^(\*|[a-z0-9!#$&^_.+-]+)(\/(\*|[a-z0-9!#$&^_.+-]+|\*\+[a-z0-9]+))?$/

/** Schema of media types: `text/html`, `text/*`, `application/*+json`, `*`. */
export const typesOption = z.array(
  z
    .string()
    .transform(text => text.trim().toLowerCase())
    .refine(text => TYPE.test(text), 'expected a media type such as "text/html", "text/*", "application/*+json" or "*"'),
)

/** Whether a Content-Type, with or without parameters, is one of some types. */
export interface MediaTypes {
  has(type: string): boolean
}

/** The media type of a Content-Type, without parameters, lower case. */
export function mediaTypeOf(contentType: string): string {
  const semicolon = contentType.indexOf(";")
  return (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

/** Types, by what the config says of them; undefined = all that get smaller. */
export function compileTypes(types: readonly string[] | undefined): MediaTypes {
  if (types === undefined) return { has: isCompressibleType }
  const exact = new Set(types.filter(type => !type.includes("*")))
  const patterns = types.filter(type => type.includes("*")).map(patternOf)
  return {
    has(contentType) {
      const type = mediaTypeOf(contentType)
      return type !== "" && (exact.has(type) || patterns.some(({ start, end }) => type.startsWith(start) && type.endsWith(end)))
    },
  }
}

function patternOf(type: string): { start: string; end: string } {
  const star = type.lastIndexOf("*")
  const start = type.slice(0, star)
  return { start: start.startsWith("*") ? "" : start, end: type.slice(star + 1) }
}
