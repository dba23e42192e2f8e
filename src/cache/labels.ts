import type { FieldLines } from "./rules/field-lines.ts"

/** Tags that one response may have, and octets of each. */
const TAGS_MAX = 64
const TAG_BYTES_MAX = 256

/** What a response may be purged by besides its URL: Cache-Tag (separated by commas) and Surrogate-Key (by spaces). */
export function labelsOf(lines: FieldLines): string[] {
  const tags = new Set<string>()
  add(tags, lines.get("cache-tag").split(","))
  add(tags, lines.get("surrogate-key").split(/[ ,]/))
  return [...tags]
}

function add(tags: Set<string>, parts: readonly string[]): void {
  for (const part of parts) {
    const tag = part.trim()
    if (tag !== "" && tag.length <= TAG_BYTES_MAX && tags.size < TAGS_MAX) tags.add(tag)
  }
}
