/** Text, or the number of a group of the match. */
export type ReplacementPart = string | number

/** UTF-8 octets of a text, one character each. */
export function octetsOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1")
}

/** Reads `$1`, `${1}`, `${name}` and `$$`. Throws with a sentence for the operator. */
export function parseReplacement(text: string, groupCount: number, names: Readonly<Record<string, number>>): ReplacementPart[] {
  const parts: ReplacementPart[] = []
  let from = 0
  for (const found of text.matchAll(/\$(?:(\$)|([0-9]{1,2})|\{([A-Za-z0-9_]+)\}|())/g)) {
    const [whole, dollar, number, name] = found
    parts.push(octetsOf(text.slice(from, found.index)))
    from = found.index + whole.length
    if (dollar !== undefined) parts.push("$")
    else parts.push(groupOf(number ?? name, groupCount, names))
  }
  parts.push(octetsOf(text.slice(from)))
  return parts.filter(part => part !== "")
}

function groupOf(said: string | undefined, groupCount: number, names: Readonly<Record<string, number>>): number {
  if (said === undefined) throw new Error('a "$" stands before the number or the name of a group, as $1 or ${name}; "$$" is a dollar sign')
  const group = /^[0-9]+$/.test(said) ? Number(said) : names[said]
  if (group !== undefined && group <= groupCount) return group
  const known = Object.keys(names)
  throw new Error(
    `the pattern has no group ${said}; it has ${groupCount === 0 ? "none" : `1 to ${groupCount}`}${known.length > 0 ? ` and ${known.join(", ")}` : ""}`,
  )
}
