// HOT
import type { GetField } from "./facts.ts"

/** Names that a Vary may have. */
export const varyNamesMax = 16

/** The field names of a joined Vary value: lower case, sorted, each once. null = never matches (`*`), not valid, or too many (RFC 9110 section 12.5.5). */
export function varyNames(value: string): readonly string[] | null {
  return value as never
}

/** What tells the variants of a URL apart: the normalised values of these fields of a request (RFC 9111 section 4.1). No value can produce the key of others. */
export function variantKey(names: readonly string[], get: GetField): string {
  return [names, get] as never
}
