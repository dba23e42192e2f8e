import { nearest } from "../../base/index.ts"
import { UsageError } from "./usage-error.ts"

/** The word, when it is one of `words`. Throws UsageError with the nearest one and all of them. */
export function knownWord<W extends string>(word: string, words: readonly W[], option: string): W {
  const known = words.find(one => one === word)
  if (known !== undefined) return known
  const close = nearest(word, words)
  throw new UsageError(
    `${option}: there is no ${JSON.stringify(word)}${close === null ? "" : `, did you mean ${JSON.stringify(close)}`}; it takes ${words.join(", ")}`,
  )
}
