import type { Exchange } from "../flow/index.ts"
import { requestValue } from "./key-parts.ts"
import { variantKey } from "./rules/vary.ts"
import { Key } from "./store/key.ts"

/** Behind the plain key: no field holds a NUL. */
const MARK = "\0"

/** The key of a variant: under the plain one, by the names that count and their values. */
export function variantUnder(key: Key, names: readonly string[], values: string): Key {
  const rest = key.text.substring(key.group.length)
  return new Key(key.group, `${rest}${MARK}${names.join(",")}\n${values}`)
}

/** The key of the variant that answers a request, by one set of names. */
export function variantOf(x: Exchange, key: Key, names: readonly string[]): Key {
  return variantUnder(
    key,
    names,
    variantKey(names, name => requestValue(x, name)),
  )
}

/** The key under which a URL is looked for first. */
export function plainKey(key: Key): Key {
  const mark = key.text.indexOf(MARK)
  return mark < 0 ? key : new Key(key.group, key.text.substring(key.group.length, mark))
}
