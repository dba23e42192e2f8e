import { parsePrefaceV1 } from "./parse-preface-v1.ts"
import { parsePrefaceV2 } from "./parse-preface-v2.ts"
import { incomplete, invalid, type Preface } from "./preface.ts"

/**
 * Reads the preface at the start of `chunk`, which holds all that has come so far: on `incomplete` the caller keeps it, appends what comes next and calls
 * again; a preface has at most `prefaceOctetsMax` octets. Only for connections from senders that are trusted to send one, and then it must be there:
 * anything else at the start is invalid. Never throws.
 */
export function parsePreface(chunk: Uint8Array): Preface {
  if (chunk.length === 0) return incomplete
  if (chunk[0] === 0x50) return parsePrefaceV1(chunk)
  if (chunk[0] === 0x0d) return parsePrefaceV2(chunk)
  return invalid("the connection does not begin with a PROXY protocol header")
}
