/** The attributes of a name that is one `attribute=value` a line, the way OpenSSL writes it; values unescaped. */
export function attributesOf(lines: string): readonly { readonly name: string; readonly value: string }[] {
  return lines.split("\n").flatMap(line => line.split(/(?<!\\)\+/).flatMap(part => attributeOf(part)))
}

function attributeOf(part: string): { name: string; value: string }[] {
  const equals = part.indexOf("=")
  return equals < 1 ? [] : [{ name: part.slice(0, equals).trim().toLowerCase(), value: unescaped(part.slice(equals + 1)) }]
}

/** `\,` and `\2C` are a comma; octets in hexadecimal are UTF-8 (RFC 4514 section 2.4). */
export function unescaped(text: string): string {
  if (!text.includes("\\")) return text
  return text.replace(/((?:\\[0-9a-f]{2})+)|\\(.)/gi, (_, octets: string | undefined, character: string | undefined) =>
    octets === undefined ? character! : Buffer.from(octets.replaceAll("\\", ""), "hex").toString("utf8"),
  )
}

/** The same name with the most specific part first, as RFC 4514 writes it. */
export function nameOf(lines: string): string {
  return lines.split("\n").reverse().join(",")
}

const kinds = { email: "email", dns: "DNS", uri: "URI" } as const

/** The first alternative name of a kind, "" without one. `text`: as node's X509Certificate writes them; what it had to quote is nobody's name. */
export function alternativeName(text: string, kind: keyof typeof kinds): string {
  const start = `${kinds[kind]}:`
  for (const part of text.split(", ")) {
    if (!part.startsWith(start)) continue
    const value = part.slice(start.length)
    return value.startsWith('"') ? "" : value
  }
  return ""
}
