// HOT
import { CR, LF } from "../grammar.ts"

/** Empty lines before a request line that are forgiven. */
const LINES_MAX = 4

/** Where the request line begins: empty lines before it are no request (RFC 9112 section 2.2). */
export function skipEmptyLines(buffer: Buffer): number {
  let at = 0
  while (at < LINES_MAX * 2 && at + 1 < buffer.length && buffer[at] === CR && buffer[at + 1] === LF) at += 2
  return at
}
