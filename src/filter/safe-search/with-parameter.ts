/** The query of a search with the parameter, whatever it said before; others stay as they are. `of`: what makes it a search. */
export function withParameter(query: string, { name, value, of }: { readonly name: string; readonly value: string; readonly of: string }): string {
  const parts = query.substring(1).split("&")
  if (!parts.some(part => keyOf(part) === of)) return query
  const kept = parts.filter(part => keyOf(part) !== name)
  return `?${[...kept, `${name}=${value}`].join("&")}`
}

/** The key as servers read it: however its letters are written. */
function keyOf(part: string): string {
  const equals = part.indexOf("=")
  const key = equals < 0 ? part : part.substring(0, equals)
  return key.replace(/\+/g, " ").replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
}
