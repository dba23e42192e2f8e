import { parseResponseDirectives, type ResponseDirectives } from "./cache-control.ts"
import type { GetField } from "./facts.ts"

/** The directives of the first targeted field that is there, valid and not empty (RFC 9213 section 2.2): Bothways-Cache-Control, then CDN-Cache-Control. null = none, so Cache-Control counts. */
export function targetedDirectives(get: GetField): ResponseDirectives | null {
  return get("") as never
}

/** What holds for this cache: the targeted directives or else those of Cache-Control. */
export function directivesOf(get: GetField): ResponseDirectives {
  return targetedDirectives(get) ?? parseResponseDirectives(get("cache-control"))
}
