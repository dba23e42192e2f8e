/** One step into a value: a key, an index, every part of it (`*`), or the name at any depth (`..name`). */
type JsonStep = { readonly kind: "key"; readonly key: string } | { readonly kind: "all" } | { readonly kind: "deep"; readonly key: string }

export type JsonPath = readonly JsonStep[]

/** Reads `$.a.b[0].c`, `$.items[*].id`, `$["odd key"]`, `$..etag`: the simple part of JSONPath (RFC 9535). null = it is none. */
export function parseJsonPath(text: string): JsonPath | null {
  if (!text.startsWith("$") || text.length < 2) return null
  const steps: JsonStep[] = []
  const step = /\.\.([A-Za-z_$][\w$-]*)|\.([A-Za-z_$][\w$-]*)|\.\*|\[\*\]|\[(\d{1,9})\]|\["([^"\\]*)"\]/y
  for (step.lastIndex = 1; step.lastIndex < text.length; ) {
    const match = step.exec(text)
    if (match === null) return null
    const key = match[2] ?? match[3] ?? match[4]
    steps.push(match[1] !== undefined ? { kind: "deep", key: match[1] } : key === undefined ? { kind: "all" } : { kind: "key", key })
  }
  return steps
}

/** Takes out of `value` whatever the path leads to; items of arrays become null, so that the others keep their places. */
export function dropPath(value: unknown, path: JsonPath, at = 0): void {
  const step = path[at]
  if (step === undefined || typeof value !== "object" || value === null) return
  const isLast = at === path.length - 1
  if (step.kind === "deep") {
    for (const child of Object.values(value)) dropPath(child, path, at)
    dropKey(value, step.key, path, at)
  } else if (step.kind === "key") dropKey(value, step.key, path, at)
  else
    for (const key of Object.keys(value)) {
      if (isLast) drop(value, key)
      else dropPath((value as Record<string, unknown>)[key], path, at + 1)
    }
}

function dropKey(value: object, key: string, path: JsonPath, at: number): void {
  if (!Object.hasOwn(value, key)) return
  if (at === path.length - 1) drop(value, key)
  else dropPath((value as Record<string, unknown>)[key], path, at + 1)
}

function drop(value: object, key: string): void {
  if (Array.isArray(value)) value[Number(key)] = null
  else delete (value as Record<string, unknown>)[key]
}

/** Where two JSON values differ first, as a path; "" = nowhere. */
export function firstDifference(a: unknown, b: unknown, path = "$"): string {
  if (Object.is(a, b)) return ""
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return path
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const below = Array.isArray(a) ? `${path}[${key}]` : /^[A-Za-z_$][\w$-]*$/.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`
    if (!Object.hasOwn(a, key) || !Object.hasOwn(b, key)) return below
    const found = firstDifference((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], below)
    if (found !== "") return found
  }
  return ""
}
