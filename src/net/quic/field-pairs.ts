// HOT
import type { FieldBlock } from "./quic-runtime.ts"

/** Fields that the runtime sends in one header section at most, pseudo fields among them. */
export const FIELDS_SENT_MAX = 128

// The runtime throws when one of these is given twice. The pseudo fields are among them: nobody gives those twice.
const SINGLE = new Set(
  (
    "access-control-allow-credentials access-control-max-age access-control-request-method age authorization content-encoding content-language " +
    "content-length content-location content-md5 content-range content-type date dnt etag expires from host if-match if-modified-since if-none-match " +
    "if-range if-unmodified-since last-modified location max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests " +
    "user-agent x-content-type-options"
  ).split(" "),
)

/** Name, value, name, value … in the runtime's form. Names are in lower case already. */
export function fieldBlockOf(pairs: readonly string[]): FieldBlock {
  const block: FieldBlock = { __proto__: null } as never
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    const before = block[name]
    if (before === undefined) block[name] = value
    else addLine(block, name, before, value)
  }
  return block
}

function addLine(block: FieldBlock, name: string, before: string | string[], value: string): void {
  if (typeof before !== "string") before.push(value)
  // One line is what several lines mean (RFC 9110 section 5.2).
  else if (SINGLE.has(name)) block[name] = before + ", " + value
  else block[name] = [before, value]
}

/** The runtime's form as name, value, name, value … */
export function pairsOf(block: FieldBlock): string[] {
  const pairs: string[] = []
  for (const name in block) {
    const value = block[name]!
    if (typeof value === "string") pairs.push(name, value)
    else for (let i = 0; i < value.length; i++) pairs.push(name, value[i]!)
  }
  return pairs
}
